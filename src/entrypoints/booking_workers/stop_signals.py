"""SIGTERM and SIGINT as a request to stop: the unit of work in progress is finished, and no other is begun."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from types import FrameType, TracebackType
from typing import Any, Final, Self

from booking_core.application.system_runtime import SYSTEM_RUNTIME
from booking_core.ports.runtime import Flag, Runtime

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
SIGNAL_CHECK_SECONDS: Final = 0.2
"""How often a waiting main thread returns to the interpreter. A signal that arrives just before the thread blocks, or
on another thread, sets a flag that the interpreter checks only then."""


class StopSignals:
    """While the `with` block runs, the first signal sets `requested` and a second one ends the process at once.

    Must be made in the main thread. The signal handler takes no lock: it interrupts the main thread, which may hold
    that very lock (`threading.Event.set` during `wait` deadlocks for this reason).
    """

    def __init__(self) -> None:
        self.requested = False
        self._arrived: SimpleQueue[None] = SimpleQueue()
        self._previous: dict[int, Any] = {}

    def should_continue(self) -> bool:
        """False from the first signal on."""
        return not self.requested

    def wait(self) -> None:
        """Return when the first signal has arrived, or `end` was called."""
        while True:
            try:
                self._arrived.get(timeout=SIGNAL_CHECK_SECONDS)
            except Empty:
                continue
            self._arrived.put(None)
            return

    def end(self) -> None:
        """Act as if a signal had arrived. Safe to call from any thread."""
        self.requested = True
        self._arrived.put(None)

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """In the block, the first signal raises KeyboardInterrupt instead: for a start, which leaves no work to finish.

        The next signals act as ever, so that they do not interrupt the clean-up.
        """

        def interrupt(number: int, frame: FrameType | None) -> None:
            self._listen()
            raise KeyboardInterrupt

        for each in _SIGNALS:
            signal.signal(each, interrupt)
        try:
            yield
        finally:
            if any(signal.getsignal(each) is interrupt for each in _SIGNALS):
                self._listen()

    def flag(self, runtime: Runtime = SYSTEM_RUNTIME) -> Flag:
        """A flag for other threads, set soon after the signal."""
        flag = runtime.flag()

        def forward() -> None:
            self.wait()
            flag.set()

        runtime.start_thread(forward, "stop-signals")
        return flag

    def __enter__(self) -> Self:
        self._previous = {number: signal.signal(number, self._handle) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _listen(self) -> None:
        for each in _SIGNALS:
            signal.signal(each, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        self.end()
