"""Every thread and every process that a test starts ends with the test; what is left fails it.

What a fixture of a wider scope starts (a server that the tests of a file or of a run share) may stay: that fixture
stops it. `@pytest.mark.leaves_threads(reason)` allows a test to leave threads. Processes carry a mark in their
environment, so that the children of a killed child are found too.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar
from weakref import WeakSet

import pytest

_MARK: Final = "TEST_PROCESS_OF"
_PROC: Final = Path("/proc")
_KEPT_BY_PYTHON: Final = b"multiprocessing.resource_tracker"
_HAS_PROC: Final = (_PROC / "self/environ").exists()

_T = TypeVar("_T")
_shared_threads: Final[WeakSet[threading.Thread]] = WeakSet()
_shared_processes: Final[set[str]] = set()
_known: set[str] = set()
_started = False


def _note_start(event: str, _: tuple[Any, ...]) -> None:
    if event in ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn"):
        global _started
        _started = True


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("leak_grace", "seconds in which a thread or process that was asked to end may do so", default="5")


def pytest_configure() -> None:
    # The value is this process's own: two workers of pytest-xdist do not look at each other's programs.
    os.environ[_MARK] = f"{os.getpid()}"
    sys.addaudithook(_note_start)


def _threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread not in _shared_threads}


def processes() -> set[str]:
    """The processes that this one has started, and theirs, as "pid@start"; those that ended unread count as well."""
    wanted = f"{_MARK}={os.getpid()}".encode()
    found = set()
    for directory in _PROC.iterdir() if _HAS_PROC else ():
        if directory.name.isdecimal() and directory.name != str(os.getpid()):
            with suppress(OSError):  # it has ended meanwhile, or belongs to another user
                # After the name, which may hold anything, the fields are: state, parent, … and the start as the 20th.
                fields = (directory / "stat").read_text().rpartition(")")[2].split()
                is_child = fields[1] == str(os.getpid())
                is_ours = is_child or wanted in (directory / "environ").read_bytes().split(b"\0")
                if is_ours and _KEPT_BY_PYTHON not in (directory / "cmdline").read_bytes():
                    found.add(f"{directory.name}@{fields[19]}")
    return found - _shared_processes


def keep(pid: int) -> None:
    """Let a process outlive the test that started it, because a fixture of a wider scope stops it."""
    _shared_processes.update(name for name in processes() if name.startswith(f"{pid}@"))


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[_T]) -> Generator[None, _T, _T]:
    """What a fixture of a wider scope than a test starts is shared."""
    if fixturedef.scope == "function":
        return (yield)
    threads, before = _threads(), processes()
    try:
        return (yield)
    finally:
        _shared_threads.update(_threads() - threads)
        _shared_processes.update(processes() - before)


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails the test whose threads or processes outlive it, and ends the processes."""
    global _known, _started
    threads = _threads()
    if _started:  # a fixture of a wider scope, before this one
        _known, _started = processes(), False
    yield
    grace = float(request.config.getini("leak_grace"))
    may_leave_threads = request.node.get_closest_marker("leaves_threads")
    if not may_leave_threads and (left := _after_grace(lambda: _threads() - threads, grace)):
        pytest.fail(f"threads outlive the test: {sorted(thread.name for thread in left)}")
    if _started and (running := _after_grace(lambda: processes() - _known, grace)):
        described = sorted(f"{name} {_command(name)}" for name in running)
        for name in running:
            _kill(int(name.partition("@")[0]))
        pytest.fail(f"processes outlive the test: {described}")


def _after_grace(left: Callable[[], set[_T]], seconds: float) -> set[_T]:
    give_up_at = time.monotonic() + seconds
    while (found := left()) and time.monotonic() < give_up_at:
        time.sleep(0.01)
    return found


def _command(name: str) -> str:
    try:
        return (_PROC / name.partition("@")[0] / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:200]
    except OSError:
        return ""


def _kill(pid: int) -> None:
    with suppress(OSError):  # it has ended meanwhile, or belongs to another user
        os.kill(pid, signal.SIGKILL)
