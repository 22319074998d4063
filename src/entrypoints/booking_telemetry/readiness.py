"""Whether this process can do its work: asked of the store at most once a second, by one thread at a time."""

import threading
import time
from collections.abc import Callable
from typing import Final

import structlog
from attrs import define, field

from booking_core.ports import Store

FRESH_SECONDS: Final = 1.0

_log = structlog.get_logger(__name__)


@define(eq=False)
class Readiness:
    """Safe to use from many threads. `clock` never jumps, in seconds."""

    store: Store
    clock: Callable[[], float] = time.monotonic
    _turn: threading.Lock = field(factory=threading.Lock, init=False)
    _looks: int = field(default=0, init=False)
    _looked_at: float = field(default=float("-inf"), init=False)
    _is_ready: bool = field(default=False, init=False)

    def is_ready(self) -> bool:
        """What a look at the store found that is at most a second old, or that ended while this call waited for it."""
        looks = self._looks
        if self.clock() - self._looked_at < FRESH_SECONDS:
            return self._is_ready
        with self._turn:
            if self._looks == looks:
                self._look()
            return self._is_ready

    def _look(self) -> None:
        began = self.clock()
        try:
            trouble = self.store.trouble()
        except Exception as error:
            _log.exception("readiness.failed")
            trouble = f"the store could not be asked: {type(error).__name__}"
        if trouble is not None:
            # For operators: the answer, which needs no token, only says that there is trouble.
            _log.warning("readiness.trouble", trouble=trouble)
        # Bad news counts from its end: a look that takes seconds must not be old when it is over.
        self._is_ready, self._looked_at = trouble is None, began if trouble is None else self.clock()
        self._looks += 1
