"""The program `booking` in a process of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

PATIENCE_SECONDS = 60.0
TOKENS = {"BOOKING_JWT_ISSUER": "https://t.example.com/", "BOOKING_JWT_AUDIENCE": "booking"}


def environment(url: str, **more: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("BOOKING_", "PROMETHEUS_"))}
    return inherited | TOKENS | {"BOOKING_DATABASE_URL": url, "BOOKING_EVENT_BUS": "memory"} | more


def booking(url: str, *arguments: str, code: int = 0, **more: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "booking_cli", *arguments],
        env=environment(url, **more),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == code, done
    return done


def stop(process: subprocess.Popen[Any], seconds: float = PATIENCE_SECONDS) -> None:
    """Ask a process to end, which a program started with SIGINT ignored understands too; kill its group after a while.

    Only for processes that were started with `start_new_session`.
    """
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        kill(process)
        raise AssertionError(f"{process.args!r} did not end within {seconds} seconds of SIGTERM") from None
    finally:
        _close_pipes(process)


def kill(process: subprocess.Popen[Any]) -> None:
    """Kill a process and its group, and wait for it; nothing can keep it for longer than that takes."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(PATIENCE_SECONDS)
    _close_pipes(process)


def _close_pipes(process: subprocess.Popen[Any]) -> None:
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with suppress(OSError):  # of what could no longer be written
                pipe.close()


@contextmanager
def running(*command: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    """A process that is killed at the end if it still runs, and its children with it."""
    process = subprocess.Popen(
        [sys.executable, *command],
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        kill(process)


@contextmanager
def running_booking(url: str, *arguments: str, **more: str) -> Iterator[subprocess.Popen[str]]:
    """`booking` with a place of its own for temporary files: what one that is killed leaves there is removed."""
    with (
        tempfile.TemporaryDirectory(prefix="booking-test-") as scratch,
        running("-m", "booking_cli", *arguments, **environment(url, **{"TMPDIR": scratch, **more})) as process,
    ):
        yield process


def wait_for_line(process: subprocess.Popen[str], event: str) -> dict[str, Any]:
    """The first log line of that event; fails if the process ends before."""
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        if event in line and line.startswith("{"):
            record: dict[str, Any] = json.loads(line)
            return record
    raise AssertionError(f"ended without {event}: {seen}")


def wait_until(true: Callable[[], bool], process: subprocess.Popen[str] | None = None) -> None:
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert process is None or process.poll() is None, process.communicate(timeout=60)
        assert time.monotonic() < give_up_at
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
