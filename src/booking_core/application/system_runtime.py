"""The runtime of a real process, and the default of every use case."""

import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from booking_core.ports.runtime import Flag, Lock, Runtime, Thread


class SystemRuntime:
    """Clock, sleep, jitter and threads of Python's standard library."""

    def monotonic(self) -> float:
        return time.monotonic()

    def cpu_seconds(self) -> float:
        return time.thread_time()

    def utc_now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def uniform(self, low: float, high: float) -> float:
        return random.uniform(low, high)  # noqa: S311 - jitter, not a secret

    def lock(self) -> Lock:
        return threading.Lock()

    def flag(self) -> Flag:
        return threading.Event()

    def start_thread(self, work: Callable[[], object], name: str) -> Thread:
        thread = threading.Thread(target=work, name=name, daemon=True)
        thread.start()
        return thread


SYSTEM_RUNTIME: Final[Runtime] = SystemRuntime()
