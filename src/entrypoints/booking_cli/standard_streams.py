"""Standard output and error of the program: a failed write is noticed, and streams that are closed are replaced."""

import errno
import io
import os
import sys
from pathlib import Path
from typing import Any, Final, Self

_STREAMS: Final = (0, 1, 2)


class Output(io.FileIO):
    """The raw standard output. `error` is the first failure of a write; `written` counts bytes that were accepted."""

    def __init__(self, descriptor: int = 1) -> None:
        super().__init__(descriptor, "wb", closefd=False)
        self.error: OSError | None = None
        self.written = 0

    @classmethod
    def install(cls) -> Self:
        """Make this the standard output of the program, and replace streams that are closed.

        A file or socket that is opened later would otherwise receive the number of a closed stream, and its output.
        """
        _open_closed_streams()
        output, before = cls(), sys.stdout
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(output),
            encoding=before.encoding if before else "utf-8",
            errors=before.errors if before else "backslashreplace",
            line_buffering=output.isatty(),
        )
        if sys.stderr is None:
            sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until the program ends
        return output

    def write(self, data: Any, /) -> int:
        """Write as FileIO does, and remember what happened."""
        try:
            count = super().write(data)
        except OSError as error:
            self.error = self.error or error
            raise
        self.written += count or 0
        return count

    @property
    def reader_has_enough(self) -> bool:
        """Whether the output was a pipe whose reader ended after it had read something, as `head` does."""
        return self.error is not None and self.error.errno == errno.EPIPE and self.written > 0

    def abandon(self) -> None:
        """Discard what could not be written: the interpreter writes it once more at its end, and would complain."""
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self.fileno())
        os.close(null)


def _open_closed_streams() -> None:
    """Open /dev/null for each closed stream, for reading alone: a write then fails as one to a closed stream does."""
    for descriptor in _STREAMS:
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number, which is this one.
            os.open(os.devnull, os.O_WRONLY if descriptor == 2 else os.O_RDONLY)
