"""Readiness of the process: whether the store can be used, checked at most once a second by one thread at a time."""

import threading
import time
from collections.abc import Callable
from typing import Final

from attrs import define, field

from booking_core.ports import Health, HealthKind, Store, WriteCheck
from booking_telemetry.logs import get_logger

FRESH_SECONDS: Final = 1.0
WRITES_FRESH_SECONDS: Final = 10.0

_log = get_logger(__name__)


@define(eq=False)
class Readiness:
    """Cached health of a store. Safe to use from many threads. `clock` never jumps, in seconds.

    Whether the store takes writes is tried every 10 s, and with each check while it does not: a full disk and a replica
    answer every read.
    """

    store: Store
    clock: Callable[[], float] = time.monotonic
    _checking: threading.Lock = field(factory=threading.Lock, init=False)
    _checks: int = field(default=0, init=False)
    _checked_at: float = field(default=float("-inf"), init=False)
    _writes_checked_at: float = field(default=float("-inf"), init=False)
    _health: Health = field(factory=Health, init=False)

    def is_ready(self) -> bool:
        """Whether `health` is ready."""
        return self.health().is_ready

    def health(self) -> Health:
        """The result of a check that is at most a second old, or that ended while this call waited for it."""
        checks = self._checks
        if self.clock() - self._checked_at < FRESH_SECONDS:
            return self._health
        with self._checking:
            if self._checks == checks:
                self._check()
            return self._health

    def _check(self) -> None:
        began = self.clock()
        try:
            health = self.store.upkeep.health()
        except Exception as error:
            _log.exception("readiness.failed")
            problem = f"the store could not be asked: {type(error).__name__}"
            health = Health(kind=HealthKind.UNREACHABLE, problem=problem)
        if health.is_ready and isinstance(self.store, WriteCheck):
            health = self._health_of_writes(self.store, began)
        if not health.is_ready:
            # For operators; the response, which needs no token, has no words of the server.
            _log.warning("readiness.trouble", kind=health.kind.value, trouble=str(health))
        # A failure counts from the end of the check: one that took seconds must not be stale at once.
        self._health, self._checked_at = health, began if health.is_ready else self.clock()
        self._checks += 1

    def _health_of_writes(self, store: WriteCheck, now: float) -> Health:
        if self._health.is_ready and now - self._writes_checked_at < WRITES_FRESH_SECONDS:
            return self._health
        self._writes_checked_at = now
        try:
            return store.check_writes()
        except Exception:
            # The trial itself is wrong, as with a trigger that somebody added; customers may be served.
            _log.exception("readiness.write_check_failed")
            return Health()


def problem_of(kind: HealthKind) -> str:
    """What the public response of `/readyz` says of a store that is not ready."""
    return f"The database cannot be used ({kind.value}); the log has the details"
