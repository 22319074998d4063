"""Which files of `src` a request or a message passes through, found by tracing every call that is made for it."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

from attrs import define, field

SOURCE: Final = Path(__file__).parents[2] / "src"


@define(eq=False)
class ExecutedFiles:
    """Records the files in which a function is called, in all threads that are started within `tracing`."""

    _recording: bool = field(default=False, init=False)
    _found: set[str] = field(factory=set, init=False)

    @contextmanager
    def tracing(self) -> Iterator[None]:
        """Watch this thread and those that it starts."""
        before = sys.gettrace()
        threading.settrace(self._on_call)
        sys.settrace(self._on_call)
        try:
            yield
        finally:
            threading.settrace(None)
            sys.settrace(before)

    @contextmanager
    def recording(self, wanted: bool = True) -> Iterator[None]:
        """Record the calls that are made in the block, if that is wanted."""
        self._recording = wanted
        try:
            yield
        finally:
            self._recording = False

    @property
    def files(self) -> list[str]:
        """Their paths below `src`, sorted."""
        root = f"{SOURCE}/"
        return sorted(name.removeprefix(root) for name in self._found if name.startswith(root))

    def _on_call(self, frame: FrameType, event: str, argument: object) -> None:
        if self._recording:
            self._found.add(frame.f_code.co_filename)
