"""The estimated wait of a queued request."""

import pytest

from booking_server.gateway.admission_control import ServiceRateEstimator


class Clock:
    now = 0.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


def complete(rate: ServiceRateEstimator, clock: Clock, number: int, *, seconds: float, queued: bool = True) -> None:
    for _ in range(number):
        clock.now += seconds
        rate.completed(clock.now, 1, are_others_queued=queued)


def test_the_first_requests_have_no_estimate(clock: Clock) -> None:
    rate = ServiceRateEstimator()
    complete(rate, clock, 50, seconds=1.0)

    assert rate.estimated_wait(1000) == 0.0


def test_a_steady_rate_gives_the_estimated_wait(clock: Clock) -> None:
    rate = ServiceRateEstimator()
    complete(rate, clock, 300, seconds=0.01)

    assert rate.estimated_wait(20) == pytest.approx(0.2, rel=0.01)


def test_idle_time_is_not_measured(clock: Clock) -> None:
    rate = ServiceRateEstimator()
    complete(rate, clock, 300, seconds=0.01)
    complete(rate, clock, 100, seconds=5.0, queued=False)

    assert rate.estimated_wait(64) == 0.0  # none is queued
    complete(rate, clock, 10, seconds=0.01)
    assert rate.estimated_wait(20) == pytest.approx(0.2, rel=0.6)


def test_a_pause_of_the_machine_hardly_changes_the_rate(clock: Clock) -> None:
    rate = ServiceRateEstimator()
    complete(rate, clock, 300, seconds=0.005)
    complete(rate, clock, 1, seconds=60.0)

    assert rate.estimated_wait(32) < 0.4


def test_a_group_that_completes_at_one_moment_counts_with_all_its_members(clock: Clock) -> None:
    rate = ServiceRateEstimator()
    for _ in range(100):
        clock.now += 0.02
        rate.completed(clock.now, 32, are_others_queued=True)

    assert rate.estimated_wait(320) == pytest.approx(0.2, rel=0.01)
