"""The runtime of a real process, and the default of every use case."""

import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from booking_core.ports.runtime import Runtime, Thread


class SystemRuntime:
    """Clock, sleep, jitter and threads of Python's standard library."""

    # The library's own functions, not wrapped: a request reads the clock several times.
    monotonic = staticmethod(time.monotonic)
    cpu_seconds = staticmethod(time.thread_time)
    uniform = staticmethod(random.uniform)
    lock = staticmethod(threading.Lock)
    flag = staticmethod(threading.Event)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def utc_now(self) -> datetime:
        return datetime.now(UTC)

    def start_thread(self, work: Callable[[], object], name: str) -> Thread:
        thread = threading.Thread(target=work, name=name, daemon=True)
        thread.start()
        return thread


SYSTEM_RUNTIME: Final[Runtime] = SystemRuntime()
