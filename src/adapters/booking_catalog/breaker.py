"""The circuit breaker in front of the Catalog: purgatory's state machine, made safe for threads.

What purgatory 3.0 leaves to its caller, and is added here: a lock (its counters are shared and unguarded), one trial at
a time while half-open (it lets everybody through), and the monotonic clock (it waits by the wall clock, so a clock set
back an hour would keep the Catalog cut off for an hour).
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

import structlog
from purgatory import SyncCircuitBreakerFactory
from purgatory.domain.model import CLOSED, HALF_OPENED, OPENED, HalfOpenedState

_log = structlog.get_logger("booking_catalog")
_SHOWN: Final = {CLOSED: "closed", OPENED: "open", HALF_OPENED: "half-open"}


class Unanswered(Exception):
    """One attempt brought no answer that a working Catalog would give. The only thing that counts as a failure."""


class CircuitOpen(Exception):
    """The attempt was not made: too many before it failed."""


class CircuitBreaker:
    """Opens after `threshold` failures in a row; after `recovery_seconds` lets one attempt through as a trial.

    Safe to use from many threads. Its lock is never held while an attempt runs.
    """

    def __init__(self, *, threshold: int, recovery_seconds: float) -> None:
        # Its own time to recover never counts: while it is open, `_admit` does not ask it.
        self._circuit = SyncCircuitBreakerFactory().get_breaker("catalog", threshold=threshold)
        self._recovery_seconds = recovery_seconds
        self._lock = Lock()
        self._opened_at = 0.0
        self._trial_running = False

    @property
    def state(self) -> str:
        """`closed`, `open` or `half-open`, as of the last attempt: an open one stays so until somebody asks again."""
        return _SHOWN[self._circuit.context.state]

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """One attempt. Raises CircuitOpen instead of running it when the circuit is open.

        Unanswered counts as a failure and an end without an error as a success. Any other error proves nothing about
        the Catalog and changes nothing. In a trial's time only the trial's outcome counts, not that of older attempts.
        """
        trial = self._admit()
        try:
            yield
        except Unanswered as error:
            self._settle(trial, error)
            raise
        except BaseException:
            self._release(trial)
            raise
        self._settle(trial, None)

    def _admit(self) -> bool:
        with self._lock:
            context = self._circuit.context
            if context.state == OPENED and time.monotonic() - self._opened_at >= self._recovery_seconds:
                context.set_state(HalfOpenedState())
                _log.warning("catalog.breaker_changed", state=self.state, problem=None)
            if context.state == OPENED or self._trial_running:
                raise CircuitOpen
            self._circuit.__enter__()
            self._trial_running = context.state == HALF_OPENED
            return self._trial_running

    def _settle(self, trial: bool, failure: Unanswered | None) -> None:
        with self._lock:
            before = self.state
            if trial:
                self._trial_running = False
            elif before != "closed":
                return
            self._circuit.__exit__(type(failure) if failure else None, failure, None)
            if self.state == "open":
                self._opened_at = time.monotonic()
            if self.state != before:
                _log.warning("catalog.breaker_changed", state=self.state, problem=str(failure) if failure else None)

    def _release(self, trial: bool) -> None:
        with self._lock:
            if trial:
                self._trial_running = False
