"""A terminal with bash in it, into which a test pastes what documentation tells people to type."""

import itertools
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Self

from attrs import define

_PATIENCE_SECONDS: Final = 60.0
_numbers: Final = itertools.count(1)


@define(eq=False)
class Terminal:
    """What stands on the screen is in a file, standard error included."""

    process: subprocess.Popen[bytes]
    screen: Path

    @classmethod
    @contextmanager
    def opened(cls, directory: Path, environment: Mapping[str, str]) -> Iterator[Self]:
        """A terminal in that directory; whatever still runs in it is ended at the end, kindly at first."""
        screen = directory / f"screen-{next(_numbers)}"
        with screen.open("wb") as file:
            process = subprocess.Popen(
                ["bash"],
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=subprocess.STDOUT,
                cwd=directory,
                env=environment,
                start_new_session=True,
            )
        try:
            yield cls(process, screen)
        finally:
            for number in (signal.SIGTERM, signal.SIGKILL):
                with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                    os.killpg(process.pid, number)
                    process.wait(10)
            process.communicate(timeout=60)

    def paste(self, text: str) -> None:
        """Type these lines, and do not wait for what they do."""
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def run(self, text: str) -> str:
        """Type these lines; what they have shown when the last of them is done. Fails if that one fails."""
        before, done = len(self.text()), f"done-{next(_numbers)}"
        self.paste(f"{text}\necho {done} $?\n")
        self.wait_for(f"{done} ")
        shown, _, code = self.text()[before:].partition(f"{done} ")
        assert code.strip() == "0", shown
        return shown

    def wait_for(self, shown: str, times: int = 1) -> str:
        """All that stands there, once this does, so many times."""
        give_up_at = time.monotonic() + _PATIENCE_SECONDS
        while self.text().count(shown) < times:
            assert time.monotonic() < give_up_at, f"{shown!r} is not shown: {self.text()[-3000:]}"
            time.sleep(0.05)
        return self.text()

    def text(self) -> str:
        return self.screen.read_text(errors="replace")
