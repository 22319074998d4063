"""A look at the store is at most a second old, and taken by one thread while the others wait for it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from booking_core.ports import Health, HealthKind, Store
from booking_telemetry.readiness import Readiness


class CheckedStore:
    """A store that counts how often it is looked at; `gate` holds the look back while it is closed."""

    def __init__(self) -> None:
        self.upkeep = self
        self.answer: str | Exception | None = None
        self.looks = 0
        self.now = 100.0
        self.seconds_per_look = 0.0
        self.gate = threading.Event()
        self.gate.set()
        self.reached = threading.Event()

    def health(self) -> Health:
        self.looks += 1
        self.now += self.seconds_per_look
        self.reached.set()
        assert self.gate.wait(30)
        if isinstance(self.answer, Exception):
            raise self.answer
        return Health() if self.answer is None else Health(kind=HealthKind.UNREACHABLE, problem=self.answer)

    def readiness(self) -> Readiness:
        return Readiness(cast(Store, self), clock=lambda: self.now)


def test_a_look_counts_for_a_second() -> None:
    store = CheckedStore()
    readiness = store.readiness()

    assert readiness.is_ready()
    store.answer = "gone"
    store.now += 0.999
    assert readiness.is_ready()
    assert store.looks == 1
    store.now += 0.001
    assert not readiness.is_ready()
    store.answer = None
    assert not readiness.is_ready()
    store.now += 1
    assert readiness.is_ready()
    assert store.looks == 3


def test_a_look_is_as_old_as_its_beginning() -> None:
    store = CheckedStore()
    store.seconds_per_look = 0.6
    readiness = store.readiness()

    readiness.is_ready()
    store.now += 0.5
    readiness.is_ready()

    assert store.looks == 2


def test_a_store_that_cannot_even_be_asked_is_not_ready() -> None:
    store = CheckedStore()
    store.answer = RuntimeError("a bug")

    assert not store.readiness().is_ready()


def test_who_comes_while_a_look_is_taken_gets_its_outcome() -> None:
    store = CheckedStore()
    store.gate.clear()
    readiness = store.readiness()
    waiting = _CountingLock(readiness._checking)
    readiness._checking = cast(Any, waiting)

    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(readiness.is_ready) for _ in range(8)]
        assert store.reached.wait(30)
        assert waiting.all_came.wait(30)
        store.now += 5  # the look takes longer than it counts for
        store.gate.set()

        assert [answer.result(30) for answer in answers] == [True] * 8
    assert store.looks == 1


class _CountingLock:
    """A lock that tells when eight threads have asked for it."""

    def __init__(self, lock: Any) -> None:
        self._lock = lock
        self._count = 0
        self._counting = threading.Lock()
        self.all_came = threading.Event()

    def __enter__(self) -> None:
        with self._counting:
            self._count += 1
            if self._count == 8:
                self.all_came.set()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


class WritableStore(CheckedStore):
    """A store that can also be asked whether it takes writes."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: Health | Exception = Health()
        self.trials = 0

    def check_writes(self) -> Health:
        self.trials += 1
        if isinstance(self.writes, Exception):
            raise self.writes
        return self.writes


def test_writes_are_tried_every_ten_seconds_and_until_they_work_again() -> None:
    store = WritableStore()
    readiness = store.readiness()
    for _ in range(10):
        assert readiness.is_ready()
        store.now += 1
    assert (store.looks, store.trials) == (10, 1)

    store.writes = Health(kind=HealthKind.DISK_FULL, problem="the disk is full")
    for _ in range(3):
        assert readiness.health().kind is HealthKind.DISK_FULL
        store.now += 1
    assert store.trials == 4
    store.writes = Health()
    assert readiness.is_ready()
    assert store.trials == 5


def test_writes_are_not_tried_while_the_store_is_unreachable() -> None:
    store = WritableStore()
    store.answer = "gone"

    assert store.readiness().health().kind is HealthKind.UNREACHABLE
    assert store.trials == 0


def test_a_trial_that_is_itself_wrong_keeps_nobody_away() -> None:
    store = WritableStore()
    store.writes = RuntimeError("a trigger of somebody else")

    assert store.readiness().is_ready()
