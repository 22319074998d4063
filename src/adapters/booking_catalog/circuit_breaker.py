"""The circuit breaker in front of the Catalog Service (ADR 0020: why it is not a library)."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from threading import Lock
from typing import Final

import structlog

_log = structlog.get_logger("booking_catalog")
_MOST_EVENTS: Final = 10_000  # events known to have been answered, some 2 MB


class BreakerState(StrEnum):
    """The state of a circuit breaker; logs and the doctor show its value."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class AttemptFailed(Exception):
    """An attempt failed, and a later one may succeed: no connection, a timeout, a status 5xx or 429.

    `of_service`: the failure is that of the whole service, and not maybe of one event's response alone.
    """

    def __init__(self, problem: str, *, of_service: bool = True) -> None:
        super().__init__(problem)
        self.of_service = of_service


class CircuitOpen(Exception):
    """The attempt was not made, because the circuit is open."""


class CircuitBreaker:
    """A breaker that opens after `threshold` failures in a row; `recovery_seconds` later it allows one trial at a time.

    Every failure of the service counts. A failure that may be of one event's response alone counts once for an event,
    and only if that event was answered before: one event that is broken, or made-up ids, close the service to no other.
    Safe to use from many threads. The lock is not held while an attempt runs. The clock is monotonic: a change of the
    wall clock neither closes the circuit nor keeps it open.
    """

    def __init__(self, *, threshold: int, recovery_seconds: float) -> None:
        self._threshold = threshold
        self._recovery_seconds = recovery_seconds
        self._lock = Lock()
        self._state = BreakerState.CLOSED
        self._failures = 0  # in a row
        self._failed_events = set[str]()  # in a row
        self._answered_events = dict[str, None]()  # the latest last
        self._opened_at = 0.0
        self._trial_running = False

    @property
    def state(self) -> BreakerState:
        """The state as of the last attempt: an open circuit stays open until the next attempt after its pause."""
        return self._state

    def answered(self, event: str) -> None:
        """Record that the service has this event: from now on its failures may be those of the service."""
        with self._lock:
            self._answered_events.pop(event, None)
            self._answered_events[event] = None
            if len(self._answered_events) > _MOST_EVENTS:
                del self._answered_events[next(iter(self._answered_events))]

    @contextmanager
    def attempt(self, event: str) -> Iterator[None]:
        """Run one attempt for this event in the block; raise CircuitOpen instead if the circuit is open.

        AttemptFailed counts as a failure, an end without an error as a success. Any other error proves nothing about
        the service and changes nothing. While the circuit is not closed, only the trial counts, not older attempts.
        """
        trial = self._admit()
        try:
            yield
        except BaseException as error:
            self._settle(trial, event, error)
            raise
        self._settle(trial, event, None)

    def _admit(self) -> bool:
        with self._lock:
            paused_seconds = time.monotonic() - self._opened_at
            if self._state is BreakerState.OPEN and paused_seconds >= self._recovery_seconds:
                self._change(BreakerState.HALF_OPEN)
            if self._state is BreakerState.OPEN or self._trial_running:
                raise CircuitOpen
            self._trial_running = self._state is BreakerState.HALF_OPEN
            return self._trial_running

    def _settle(self, trial: bool, event: str, error: BaseException | None) -> None:
        with self._lock:
            if trial:
                self._trial_running = False
            elif self._state is not BreakerState.CLOSED:
                return
            if error is None:
                self._failures = 0
                self._failed_events.clear()
                if trial:
                    self._change(BreakerState.CLOSED)
            elif isinstance(error, AttemptFailed) and (error.of_service or event in self._answered_events):
                self._failures += error.of_service or event not in self._failed_events
                if not error.of_service:
                    self._failed_events.add(event)
                if trial or self._failures >= self._threshold:
                    self._opened_at = time.monotonic()
                    self._change(BreakerState.OPEN, problem=str(error))

    def _change(self, state: BreakerState, problem: str | None = None) -> None:
        self._state = state
        _log.warning("catalog.breaker_changed", state=state.value, problem=problem)
