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
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


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
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < give_up_at
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
