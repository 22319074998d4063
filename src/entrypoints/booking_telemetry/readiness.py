"""Readiness of the process: whether the store can be used, checked at most once a second by one thread at a time."""

import threading
import time
from collections.abc import Callable
from typing import Final

from attrs import define, field

from booking_core.ports import Store
from booking_telemetry.logs import get_logger

FRESH_SECONDS: Final = 1.0

_log = get_logger(__name__)


@define(eq=False)
class Readiness:
    """Cached health of a store. Safe to use from many threads. `clock` never jumps, in seconds."""

    store: Store
    clock: Callable[[], float] = time.monotonic
    _checking: threading.Lock = field(factory=threading.Lock, init=False)
    _checks: int = field(default=0, init=False)
    _checked_at: float = field(default=float("-inf"), init=False)
    _is_ready: bool = field(default=False, init=False)

    def is_ready(self) -> bool:
        """The result of a check that is at most a second old, or that ended while this call waited for it."""
        checks = self._checks
        if self.clock() - self._checked_at < FRESH_SECONDS:
            return self._is_ready
        with self._checking:
            if self._checks == checks:
                self._check()
            return self._is_ready

    def _check(self) -> None:
        began = self.clock()
        try:
            health = self.store.upkeep.health()
            is_ready, problem = health.is_ready, str(health)
        except Exception as error:
            _log.exception("readiness.failed")
            is_ready, problem = False, f"the store could not be asked: {type(error).__name__}"
        if not is_ready:
            # For operators; the response, which needs no token, only states that the store cannot be used.
            _log.warning("readiness.trouble", trouble=problem)
        # A failure counts from the end of the check: one that took seconds must not be stale at once.
        self._is_ready, self._checked_at = is_ready, began if is_ready else self.clock()
        self._checks += 1
