"""The runtime: clock, sleep, jitter, locks and threads. A simulation replaces all of them at once.

`booking_core.application.system_runtime` is the runtime of a real process. Deadlines of bookings do not depend on it:
they use the database's clock.
"""

from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Protocol


class Lock(Protocol):
    """A mutual exclusion lock. `with lock:` acquires and releases it."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Acquire the lock; False if it was not free within `timeout` seconds (-1: wait without limit)."""
        ...

    def release(self) -> None: ...
    def __enter__(self) -> bool: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Flag(Protocol):
    """A flag that threads wait for. Once set it stays set."""

    def is_set(self) -> bool: ...
    def set(self) -> None: ...
    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the flag, at most `timeout` seconds; True if it is set."""
        ...


class Thread(Protocol):
    """A thread that runs."""

    @property
    def name(self) -> str: ...
    def is_alive(self) -> bool: ...
    def join(self, timeout: float | None = None) -> None:
        """Wait for the end of the thread, at most `timeout` seconds."""
        ...


class Runtime(Protocol):
    """The services of the process for the code that runs in it. Safe to use from many threads."""

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps. Its zero means nothing."""
        ...

    def cpu_seconds(self) -> float:
        """CPU time of the calling thread, in seconds."""
        ...

    def utc_now(self) -> datetime:
        """The wall clock, in UTC; it may jump."""
        ...

    def sleep(self, seconds: float) -> None:
        """Suspend the calling thread."""
        ...

    def uniform(self, low: float, high: float) -> float:
        """A random number between the two, for jitter. Not for secrets."""
        ...

    def lock(self) -> Lock:
        """A new lock, not acquired."""
        ...

    def flag(self) -> Flag:
        """A new flag, not set."""
        ...

    def start_thread(self, work: Callable[[], object], name: str) -> Thread:
        """Start a daemon thread: the process ends without waiting for it."""
        ...
