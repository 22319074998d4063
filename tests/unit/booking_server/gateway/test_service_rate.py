"""How long somebody would wait, as far as can be said."""

import pytest

from booking_server.gateway import service_rate as pace_module
from booking_server.gateway.service_rate import ServiceRateEstimator


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pace_module, "perf_counter", clock)
    return clock


def work(pace: ServiceRateEstimator, clock: Clock, number: int, *, seconds: float, crowded: bool = True) -> None:
    for _ in range(number):
        clock.now += seconds
        pace.done(is_crowded=crowded)


def test_nothing_is_said_of_the_first_requests(clock: Clock) -> None:
    pace = ServiceRateEstimator()
    work(pace, clock, 50, seconds=1.0)

    assert pace.wait_for(1000) == 0.0


def test_a_steady_pace_is_known(clock: Clock) -> None:
    pace = ServiceRateEstimator()
    work(pace, clock, 300, seconds=0.01)

    assert pace.wait_for(20) == pytest.approx(0.2, rel=0.01)


def test_idle_time_is_no_work(clock: Clock) -> None:
    pace = ServiceRateEstimator()
    work(pace, clock, 300, seconds=0.01)
    work(pace, clock, 100, seconds=5.0, crowded=False)

    assert pace.wait_for(64) == 0.0  # nobody waits
    work(pace, clock, 10, seconds=0.01)
    assert pace.wait_for(20) == pytest.approx(0.2, rel=0.6)


def test_a_pause_of_the_machine_is_soon_forgotten(clock: Clock) -> None:
    pace = ServiceRateEstimator()
    work(pace, clock, 300, seconds=0.005)
    work(pace, clock, 1, seconds=60.0)

    assert pace.wait_for(32) < 0.4
