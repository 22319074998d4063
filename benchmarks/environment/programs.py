"""`booking …` in processes of their own, as an operator would start them; none outlives the benchmark.

They log as they do unless they are told otherwise, at INFO, into a file; errors are shown when the program has ended.
"""

import itertools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from benchmarks.errors import BenchmarkFailed

PROGRAM: Final = str(Path(sys.executable).with_name("booking"))
_STOP_SECONDS: Final = 40.0
_LONGEST_SECONDS: Final = 900.0
_ERRORS: Final = ('"level": "error"', '"level": "critical"')
_SHOWN_LINES: Final = 20


class Program:
    """A running program."""

    def __init__(self, name: str, process: "subprocess.Popen[str]") -> None:
        self._name, self._process = name, process

    @property
    def pid(self) -> int:
        """Of its first process."""
        return self._process.pid

    def alive(self) -> None:
        """Raises BenchmarkFailed if it has ended."""
        if self._process.poll() is not None:
            raise BenchmarkFailed(f"`{self._name}` ended with exit code {self._process.returncode}: see above")

    def output(self, seconds: float) -> str:
        """All that it prints until it ends by itself. BenchmarkFailed if it fails or takes longer."""
        try:
            out, _ = self._process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise BenchmarkFailed(f"`{self._name}` was not done after {seconds:.0f} s") from None
        if self._process.returncode:
            raise BenchmarkFailed(f"`{self._name}` failed with exit code {self._process.returncode}: see above")
        return out

    def stop(self) -> None:
        """Ask it to end."""
        self._process.terminate()

    def line(self) -> str:
        """The next line that it prints; empty if it has ended."""
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@contextmanager
def running(name: str, command: list[str], environment: dict[str, str]) -> Iterator[Program]:
    """The program until the end of the block: then it is asked to stop, and killed if it does not."""
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        process = subprocess.Popen(
            [*_dying_with_us(), *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            yield Program(name, process)
        finally:
            process.terminate()
            try:
                process.communicate(timeout=_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
            _show_errors(log)


def _show_errors(log: IO[str]) -> None:
    """Copy to standard error what is no record, such as a traceback, and records above WARNING: the first of them."""
    log.seek(0)
    errors = (line for line in log if not line.startswith("{") or any(level in line for level in _ERRORS))
    sys.stderr.writelines(itertools.islice(errors, _SHOWN_LINES))


@contextmanager
def running_booking(database_url: str, *arguments: str, program: str = PROGRAM, **settings: str) -> Iterator[Program]:
    """`booking …` on that database; keywords are settings by their whole names."""
    environment = _environment(database_url, settings)
    with running(f"booking {arguments[0]}", [program, *arguments], environment) as started:
        yield started


def booking(database_url: str, *arguments: str, program: str = PROGRAM, **settings: str) -> str:
    """Run a command to its end; what it prints."""
    with running_booking(database_url, *arguments, program=program, **settings) as started:
        return started.output(_LONGEST_SECONDS)


@contextmanager
def running_module(module: str, *arguments: str) -> Iterator[Program]:
    """A module of the benchmarks as a process of its own, so that it disturbs nobody's interpreter."""
    with running(module, [sys.executable, "-m", module, *arguments], dict(os.environ)) as program:
        yield program


def free_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment(database_url: str, settings: dict[str, str]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("BOOKING_", "OTEL_"))}
    return inherited | {"BOOKING_DATABASE_URL": database_url} | settings


def _dying_with_us() -> list[str]:
    """A benchmark that is killed leaves no program behind, where the system can see to that."""
    if os.uname().sysname == "Linux" and (setpriv := shutil.which("setpriv")):
        return [setpriv, "--pdeathsig", "TERM"]
    return []
