"""The circuit breaker: when it opens, which attempt is the trial, and which errors do not count."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from threading import Barrier

import pytest
import time_machine

from booking_catalog import circuit_breaker
from booking_catalog.circuit_breaker import AttemptFailed, CircuitBreaker, CircuitOpen

EVENT = "an event"


def fail(breaker: CircuitBreaker, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(AttemptFailed), breaker.attempt(EVENT):
            raise AttemptFailed("status 503")


def succeed(breaker: CircuitBreaker) -> None:
    with breaker.attempt(EVENT):
        pass


def test_it_opens_at_the_threshold_of_failures_in_a_row() -> None:
    breaker = CircuitBreaker(threshold=3, recovery_seconds=60)
    fail(breaker, 2)
    succeed(breaker)
    fail(breaker, 2)
    assert breaker.state == "closed"
    fail(breaker)
    assert breaker.state == "open"
    with pytest.raises(CircuitOpen):
        succeed(breaker)


def fail_for(breaker: CircuitBreaker, *events: str) -> None:
    """Each of these events has an answer that fails, as a 500 or a timeout does, and the service none."""
    for event in events:
        with pytest.raises(AttemptFailed), breaker.attempt(event):
            raise AttemptFailed("status 500", of_service=False)


def test_one_event_that_fails_again_and_again_closes_no_other() -> None:
    breaker = CircuitBreaker(threshold=3, recovery_seconds=60)
    breaker.answered("broken")
    fail_for(breaker, *["broken"] * 50)
    assert breaker.state == "closed"
    fail(breaker, 2)
    assert breaker.state == "open"


def test_events_that_were_never_answered_prove_nothing() -> None:
    breaker = CircuitBreaker(threshold=3, recovery_seconds=60)
    fail_for(breaker, *map(str, range(50)))
    assert breaker.state == "closed"


def test_different_events_that_were_answered_before_prove_that_the_service_fails() -> None:
    breaker = CircuitBreaker(threshold=3, recovery_seconds=60)
    for event in "abc":
        breaker.answered(event)
    fail_for(breaker, "a", "b")
    succeed(breaker)
    fail_for(breaker, "a", "b", "a", "b")
    assert breaker.state == "closed"
    fail_for(breaker, "c")
    assert breaker.state == "open"


def test_a_trial_with_an_unknown_event_decides_nothing() -> None:
    breaker = CircuitBreaker(threshold=1, recovery_seconds=0)
    breaker.answered("known")
    fail(breaker)
    fail_for(breaker, "unknown")
    assert breaker.state == "half-open"
    fail_for(breaker, "known")
    assert breaker.state == "open"


def test_no_more_events_are_remembered_than_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(circuit_breaker, "_MOST_EVENTS", 2)
    breaker = CircuitBreaker(threshold=1, recovery_seconds=60)
    for event in "abac":
        breaker.answered(event)
    fail_for(breaker, "b")
    assert breaker.state == "closed"
    fail_for(breaker, "a")
    assert breaker.state == "open"


def test_other_errors_prove_nothing() -> None:
    breaker = CircuitBreaker(threshold=1, recovery_seconds=60)
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error), breaker.attempt(EVENT):
            raise error
    assert breaker.state == "closed"


def test_only_one_trial_at_a_time_and_an_aborted_one_makes_room() -> None:
    breaker = CircuitBreaker(threshold=1, recovery_seconds=0)
    fail(breaker)
    with suppress(KeyboardInterrupt), breaker.attempt(EVENT):
        assert breaker.state == "half-open"
        with pytest.raises(CircuitOpen):
            succeed(breaker)
        raise KeyboardInterrupt
    assert breaker.state == "half-open"
    succeed(breaker)
    assert breaker.state == "closed"


@pytest.mark.parametrize("late_success", [True, False])
def test_attempts_older_than_the_trial_do_not_decide_it(late_success: bool) -> None:
    breaker = CircuitBreaker(threshold=1, recovery_seconds=0)
    old = breaker.attempt(EVENT)
    old.__enter__()
    fail(breaker)
    with breaker.attempt(EVENT):
        if late_success:
            old.__exit__(None, None, None)
        else:
            error = AttemptFailed("late")
            old.__exit__(AttemptFailed, error, None)
        assert breaker.state == "half-open"
    assert breaker.state == "closed"


def test_the_wall_clock_does_not_hold_it_open() -> None:
    breaker = CircuitBreaker(threshold=1, recovery_seconds=0)
    fail(breaker)
    with time_machine.travel(datetime(2001, 1, 1, tzinfo=UTC)):
        succeed(breaker)
    assert breaker.state == "closed"


def test_the_wall_clock_does_not_close_it() -> None:
    breaker = CircuitBreaker(threshold=1, recovery_seconds=60)
    fail(breaker)
    with time_machine.travel(datetime(2101, 1, 1, tzinfo=UTC)), pytest.raises(CircuitOpen):
        succeed(breaker)


def test_threads_count_together() -> None:
    breaker = CircuitBreaker(threshold=400, recovery_seconds=60)
    start = Barrier(8)

    def fail_fifty(_: int) -> None:
        start.wait()
        fail(breaker, 50)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(fail_fifty, range(8)))
    assert breaker.state == "open"


@pytest.fixture
def restless_threads() -> Iterator[None]:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("restless_threads")
@pytest.mark.parametrize("_round", range(30))
def test_of_many_threads_one_gets_the_trial(_round: int) -> None:
    breaker = CircuitBreaker(threshold=1, recovery_seconds=0)
    fail(breaker)
    inside = Barrier(8)

    def ask(_: int) -> bool:
        inside.wait()
        try:
            with breaker.attempt(EVENT):
                inside.wait()
        except CircuitOpen:
            inside.wait()
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(8))) == 1
