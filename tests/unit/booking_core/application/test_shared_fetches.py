"""Fetches are shared by those who wait, their failures are remembered, and only a few may wait or run."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from attrs import define, field

from booking_core.application.shared_fetches import FetchTooSlow, NotWaited, SharedFetches, Wait
from booking_core.application.system_runtime import SystemRuntime
from booking_core.domain.errors import ServiceBusy
from booking_core.ports.catalog import CatalogAnswerInvalid, CatalogBusy

PATIENCE = 20.0


class Clock(SystemRuntime):
    """A runtime whose time passes only when a test says so; waiting for a flag takes real time."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@define
class Slow:
    """A fetch that a test ends."""

    error: Exception | None = None
    runs: int = 0
    started: Event = field(factory=Event)
    end: Event = field(factory=Event)

    def __call__(self) -> None:
        self.runs += 1
        self.started.set()
        assert self.end.wait(PATIENCE)
        if self.error is not None:
            raise self.error


def wait(fetches: SharedFetches, key: object, fetch: Callable[[], object], **options: Any) -> None:
    fetches.wait(key, options.pop("purpose", key), fetch, **{"kind": Wait.UNKNOWN, "seconds": PATIENCE, **options})


def until_waiting(fetches: SharedFetches, number: int, kind: Wait = Wait.UNKNOWN) -> None:
    while fetches._counts["waiting", kind] < number:
        pass


def test_all_who_wait_share_one_fetch() -> None:
    fetches, slow = SharedFetches(), Slow()
    with ThreadPoolExecutor(4) as pool:
        callers = [pool.submit(wait, fetches, "event", slow) for _ in range(4)]
        until_waiting(fetches, 4)
        slow.end.set()
        assert [caller.result(PATIENCE) for caller in callers] == [None] * 4
    assert slow.runs == 1


def test_all_who_wait_share_a_failure_each_with_its_own_copy() -> None:
    fetches, slow = SharedFetches(), Slow(CatalogAnswerInvalid("a price"))
    with ThreadPoolExecutor(3) as pool:
        callers = [pool.submit(wait, fetches, "event", slow) for _ in range(3)]
        until_waiting(fetches, 3)
        slow.end.set()
        errors = [caller.exception(PATIENCE) for caller in callers]
    assert {(type(error), str(error)) for error in errors} == {(CatalogAnswerInvalid, "a price")}
    assert len({id(error) for error in errors}) == 3


def test_a_failure_is_remembered_for_seconds_by_its_purpose() -> None:
    fetches, fails = SharedFetches(runtime=Clock(), failure_seconds=5.0), Slow(ServiceBusy())
    fails.end.set()
    for _ in range(3):
        with pytest.raises(ServiceBusy):
            wait(fetches, "event", fails)
    assert fails.runs == 1
    assert isinstance(fetches.failure_of("event"), ServiceBusy)
    wait(fetches, "event", lambda: None, purpose="seats")

    fetches.runtime.now = 5.0  # type: ignore[attr-defined]
    assert fetches.failure_of("event") is None
    wait(fetches, "event", lambda: None)


def test_no_more_callers_wait_than_may() -> None:
    fetches, slow = SharedFetches(most_waiting=2, most_running=9), Slow()
    with ThreadPoolExecutor(2) as pool:
        callers = [pool.submit(wait, fetches, key, slow) for key in "ab"]
        until_waiting(fetches, 2)
        for key in "abc":
            with pytest.raises(NotWaited):
                wait(fetches, key, slow)
        # Those who wait for what is known have places of their own.
        wait(fetches, "c", lambda: None, kind=Wait.KNOWN)
        slow.end.set()
        assert [caller.result(PATIENCE) for caller in callers] == [None, None]
    wait(fetches, "c", lambda: None)


def test_no_more_fetches_run_than_may() -> None:
    fetches, slow = SharedFetches(most_waiting=9, most_running=1), Slow()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(wait, fetches, "a", slow)
        assert slow.started.wait(PATIENCE)
        with pytest.raises(NotWaited):
            wait(fetches, "b", slow)
        second = pool.submit(wait, fetches, "a", slow)
        until_waiting(fetches, 2)
        slow.end.set()
        first.result(PATIENCE), second.result(PATIENCE)
    assert slow.runs == 1


def test_a_caller_waits_no_longer_than_it_may_and_the_fetch_goes_on() -> None:
    fetches, slow = SharedFetches(), Slow()
    with pytest.raises(FetchTooSlow):
        wait(fetches, "event", slow, seconds=0.01)
    assert slow.started.wait(PATIENCE)
    slow.end.set()
    wait(fetches, "event", lambda: None)
    assert fetches.failure_of("event") is None


def test_a_fetch_for_another_purpose_waits_its_turn() -> None:
    fetches, slow, order = SharedFetches(), Slow(), list[str]()

    def fetch_hall() -> None:
        slow()
        order.append("hall")

    with ThreadPoolExecutor(2) as pool:
        hall = pool.submit(wait, fetches, "event", fetch_hall, purpose="hall")
        assert slow.started.wait(PATIENCE)
        seats: Future[None] = pool.submit(wait, fetches, "event", lambda: order.append("seats"), purpose="seats")
        until_waiting(fetches, 2)
        slow.end.set()
        hall.result(PATIENCE), seats.result(PATIENCE)
    assert order == ["hall", "seats"]


def test_one_that_runs_here_is_shared_too() -> None:
    fetches, slow = SharedFetches(), Slow(ServiceBusy())
    with ThreadPoolExecutor(2) as pool:
        here = pool.submit(fetches.run_here, "event", "event", slow)
        assert slow.started.wait(PATIENCE)
        fetches.run_here("event", "event", slow)
        caller = pool.submit(wait, fetches, "event", slow)
        until_waiting(fetches, 1)
        slow.end.set()
        here.result(PATIENCE)
        assert isinstance(caller.exception(PATIENCE), ServiceBusy)
    fetches.run_here("event", "event", slow)
    assert slow.runs == 1


def test_a_thread_that_cannot_be_started_leaves_no_trace() -> None:
    class Full(SystemRuntime):
        def start_thread(self, work: Callable[[], object], name: str) -> Any:
            raise RuntimeError("can't start new thread")

    fetches = SharedFetches(runtime=Full(), most_waiting=1, most_running=1)
    for _ in range(3):
        with pytest.raises(RuntimeError):
            wait(fetches, "event", lambda: None)


def test_the_oldest_failure_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("booking_core.application.shared_fetches._MOST_FAILURES", 2)
    fetches, fails = SharedFetches(), Slow(ServiceBusy())
    fails.end.set()
    for key in "abc":
        with pytest.raises(ServiceBusy):
            wait(fetches, key, fails)
    assert [fetches.failure_of(key) is None for key in "abc"] == [True, False, False]


def test_who_is_turned_down_may_try_again_soon() -> None:
    assert (CatalogBusy.code, CatalogBusy.retry_after) == ("CATALOG_UNAVAILABLE", 1)
