"""SIGTERM and SIGINT as a polite request: the unit of work in hand is finished, and nothing is begun after it."""

import signal
import threading
from queue import Empty, SimpleQueue
from types import FrameType, TracebackType
from typing import Any, Final, Self

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
LOOK_UP_SECONDS: Final = 0.2
"""A main thread that waits comes back to the interpreter so often: a signal that lands just before it blocks, or on
another thread, sets a flag that is seen only then."""


class StopSignals:
    """While the `with` block runs, the first signal sets `requested`, and a second one ends the process at once.

    Made in the main thread. Nothing here takes a lock in a signal handler: a handler runs in the middle of whatever
    the main thread does, which may hold that very lock (so does `threading.Event.set` during `wait`).
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
                self._arrived.get(timeout=LOOK_UP_SECONDS)
            except Empty:
                continue
            self._arrived.put(None)
            return

    def end(self) -> None:
        """As if a signal had arrived. From any thread."""
        self.requested = True
        self._arrived.put(None)

    def event(self) -> threading.Event:
        """An event for other threads, set soon after the signal."""
        event = threading.Event()

        def forward() -> None:
            self.wait()
            event.set()

        threading.Thread(target=forward, name="stop-signals", daemon=True).start()
        return event

    def __enter__(self) -> Self:
        self._previous = {number: signal.signal(number, self._handle) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        self.end()
