"""`booking …` in processes of their own, as an operator would start them; none outlives the benchmark."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.environment.databases import ask
from benchmarks.errors import BenchmarkFailed

_PROGRAM: Final = str(Path(sys.executable).with_name("booking"))
# As many as `booking serve` starts unless it is told otherwise.
_PROCESSES: Final = 2
_ASKED_AT_A_TIME: Final = 8
_READY_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 40.0
_LONGEST_SECONDS: Final = 900.0


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
    process = subprocess.Popen(
        [*_dying_with_us(), *command], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
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


@contextmanager
def running_booking(database_url: str, *arguments: str, **settings: str) -> Iterator[Program]:
    """`booking …` on that database; keywords are settings by their whole names."""
    environment = _environment(database_url, settings)
    with running(f"booking {arguments[0]}", [_PROGRAM, *arguments], environment) as program:
        yield program


def booking(database_url: str, *arguments: str, **settings: str) -> str:
    """Run a command to its end; what it prints."""
    with running_booking(database_url, *arguments, **settings) as program:
        return program.output(_LONGEST_SECONDS)


@contextmanager
def running_module(module: str, *arguments: str) -> Iterator[Program]:
    """A module of the benchmarks as a process of its own, so that it disturbs nobody's interpreter."""
    with running(module, [sys.executable, "-m", module, *arguments], dict(os.environ)) as program:
        yield program


@contextmanager
def serving(database_url: str, **settings: str) -> Iterator[str]:
    """`booking serve` with all its processes ready; the URL that it answers on."""
    with starting(database_url, **settings) as (address, program):
        await_ready(database_url, address, program)
        yield address


@contextmanager
def starting(database_url: str, **settings: str) -> Iterator[tuple[str, Program]]:
    """`booking serve` that has only just been started, and the URL that it is going to answer on."""
    port = free_port()
    with running_booking(database_url, "serve", "--host", "127.0.0.1", "--port", str(port), **settings) as program:
        yield f"http://127.0.0.1:{port}", program


def free_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment(database_url: str, settings: dict[str, str]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BOOKING_")}
    return inherited | {"BOOKING_DATABASE_URL": database_url, "BOOKING_LOG_LEVEL": "WARNING"} | settings


def await_ready(database_url: str, address: str, program: Program) -> None:
    """Ask `booking serve`, on a new connection each time, until every process has answered.

    Load that came before would stay with one.
    A process that has answered has a connection to the database, and asked one by one it needs no second.
    """
    count = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'booking-core'"
    )
    give_up_at = time.monotonic() + _READY_SECONDS
    while time.monotonic() < give_up_at:
        program.alive()
        if all(is_ready(address) for _ in range(_ASKED_AT_A_TIME)) and ask(database_url, count)[0] >= _PROCESSES:
            return
        time.sleep(0.05)
    raise BenchmarkFailed(f"`booking serve` was not ready within {_READY_SECONDS:.0f} s")


def is_ready(address: str) -> bool:
    """Whether what listens there answers /readyz with 200."""
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _dying_with_us() -> list[str]:
    """A benchmark that is killed leaves no program behind, where the system can see to that."""
    if os.uname().sysname == "Linux" and (setpriv := shutil.which("setpriv")):
        return [setpriv, "--pdeathsig", "TERM"]
    return []
