"""The circuit breaker in front of the Catalog Service (ADR 0020: why it is not a library)."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from threading import Lock

import structlog

_log = structlog.get_logger("booking_catalog")


class BreakerState(StrEnum):
    """The state of a circuit breaker; logs and the doctor show its value."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class AttemptFailed(Exception):
    """An attempt failed in a way that the breaker counts: no connection, a timeout, a status 5xx or 429."""


class CircuitOpen(Exception):
    """The attempt was not made, because the circuit is open."""


class CircuitBreaker:
    """A breaker that opens after `threshold` failures in a row; `recovery_seconds` later it allows one trial at a time.

    Safe to use from many threads. The lock is not held while an attempt runs. The clock is monotonic: a change of the
    wall clock neither closes the circuit nor keeps it open.
    """

    def __init__(self, *, threshold: int, recovery_seconds: float) -> None:
        self._threshold = threshold
        self._recovery_seconds = recovery_seconds
        self._lock = Lock()
        self._state = BreakerState.CLOSED
        self._failures = 0  # in a row
        self._opened_at = 0.0
        self._trial_running = False

    @property
    def state(self) -> BreakerState:
        """The state as of the last attempt: an open circuit stays open until the next attempt after its pause."""
        return self._state

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Run one attempt in the block; raise CircuitOpen instead if the circuit is open.

        AttemptFailed counts as a failure, an end without an error as a success. Any other error proves nothing about
        the service and changes nothing. While the circuit is not closed, only the trial counts, not older attempts.
        """
        trial = self._admit()
        try:
            yield
        except BaseException as error:
            self._settle(trial, error)
            raise
        self._settle(trial, None)

    def _admit(self) -> bool:
        with self._lock:
            paused_seconds = time.monotonic() - self._opened_at
            if self._state is BreakerState.OPEN and paused_seconds >= self._recovery_seconds:
                self._change(BreakerState.HALF_OPEN)
            if self._state is BreakerState.OPEN or self._trial_running:
                raise CircuitOpen
            self._trial_running = self._state is BreakerState.HALF_OPEN
            return self._trial_running

    def _settle(self, trial: bool, error: BaseException | None) -> None:
        with self._lock:
            if trial:
                self._trial_running = False
            elif self._state is not BreakerState.CLOSED:
                return
            if error is None:
                self._failures = 0
                if trial:
                    self._change(BreakerState.CLOSED)
            elif isinstance(error, AttemptFailed):
                self._failures += 1
                if trial or self._failures >= self._threshold:
                    self._opened_at = time.monotonic()
                    self._change(BreakerState.OPEN, problem=str(error))

    def _change(self, state: BreakerState, problem: str | None = None) -> None:
        self._state = state
        _log.warning("catalog.breaker_changed", state=state.value, problem=problem)
