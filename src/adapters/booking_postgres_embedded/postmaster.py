"""A server that somebody left behind: recognising it beyond doubt, and stopping it.

`postmaster.pid` alone proves nothing. After a crash it stays, and its number may belong to another program by now.
"""

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from booking_postgres_embedded.errors import EmbeddedPostgresError

# Fast shutdown first: open transactions are rolled back, everything is written. The others lose no commit either.
_WAYS_TO_STOP = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 5.0))
_POLL = 0.005


@dataclass(frozen=True, kw_only=True)
class PidFile:
    """What a server says of itself; `status` is `starting`, `ready`, `stopping`, or empty while it is being written."""

    pid: int
    port: int | None
    status: str


def parse_pid_file(text: str) -> PidFile | None:
    """The lines of `postmaster.pid` (pid, directory, start, port, socket, host, memory, status); None without a pid."""
    lines = [line.strip() for line in text.splitlines()]
    try:
        pid = abs(int(lines[0]))  # a single-user server writes its pid negative
    except (IndexError, ValueError):
        return None
    port = int(lines[3]) if len(lines) > 3 and lines[3].isdecimal() else None
    return PidFile(pid=pid, port=port, status=lines[7] if len(lines) > 7 else "") if pid else None


def read_pid_file(data: Path) -> PidFile | None:
    """The parsed `postmaster.pid` of a data directory, None if there is none or nothing useful in it."""
    try:
        return parse_pid_file((data / "postmaster.pid").read_text(errors="replace"))
    except FileNotFoundError:
        return None


def serves(pid: int, data: Path, *, proc: Path = Path("/proc")) -> bool:
    """Whether the process `pid` is a live PostgreSQL server of exactly this data directory.

    A server works inside its data directory, so its working directory decides where the system shows it. In a
    container root may not look at that of another user; there, and without /proc, its command line decides.
    """
    process = proc / str(pid)
    if not proc.is_dir():
        printed = subprocess.run(
            ["ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return "postgres" in printed.stdout and f"-D {data} " in f"{printed.stdout.strip()} "
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False  # no such process
    if Path(os.fsdecode(words[0])).name != "postgres":  # a zombie has no words at all
        return False
    try:
        return (process / "cwd").samefile(data)
    except OSError:
        return b"-D" in words and os.fsencode(data) in words


def stop_leftover(data: Path) -> None:
    """Afterwards no server runs in `data` and no stale `postmaster.pid` deters the next. The caller owns the cluster.

    Raises EmbeddedPostgresError if the server does not end.
    """
    found = read_pid_file(data)
    if found is not None and serves(found.pid, data):
        _stop(found.pid, data)
    # PostgreSQL would believe the pid of any live program of the same user, and refuse to read an empty file.
    (data / "postmaster.pid").unlink(missing_ok=True)


def _stop(pid: int, data: Path) -> None:
    for way, patience in _WAYS_TO_STOP:
        deadline = time.monotonic() + patience
        try:
            os.kill(pid, way)
        except ProcessLookupError:
            return
        except PermissionError:
            break
        while time.monotonic() < deadline:
            if not serves(pid, data):
                return
            time.sleep(_POLL)
    raise EmbeddedPostgresError(f"a PostgreSQL left behind in {data} does not stop: end process {pid} by hand")


def stop_child(process: subprocess.Popen[bytes]) -> None:
    """Stop a server that is our own child, fast, and wait until it is gone. Idempotent."""
    for way, patience in _WAYS_TO_STOP:
        process.send_signal(way)  # does nothing once it has ended
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
        return
    raise EmbeddedPostgresError(f"PostgreSQL does not stop: end process {process.pid} by hand")
