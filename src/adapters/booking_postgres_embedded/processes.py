"""Processes of the server: the account that runs them, starting one, and recognising and stopping a running server.

PostgreSQL refuses to run as root; for root another account of the machine runs it. `postmaster.pid` alone does not
prove that a server runs: after a crash the file stays, and its number may be the pid of another program.
"""

import os
import pwd
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from attrs import frozen

_ACCOUNTS_FOR_ROOT = ("postgres", "nobody")
# Signal and seconds to wait. A fast shutdown comes first: it rolls open transactions back and writes everything. The
# other signals lose no commit either.
_STOP_SIGNALS = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 5.0))
_POLL_SECONDS = 0.005


class EmbeddedPostgresError(RuntimeError):
    """The server cannot be used. The text is one line: what failed, where the details are, what to do."""


@frozen(kw_only=True)
class Account:
    """A user of the machine. With `switch`, processes change to it, and their files must be given to it."""

    name: str
    uid: int
    gid: int
    switch: bool


def server_account(data: Path) -> Account:
    """The account that runs the server of the directory `data`, which may not exist yet.

    It is the account of this process. For root it is the owner of existing data (the machine may have had other users
    when the data was made), else `postgres`, else `nobody`. Raises EmbeddedPostgresError if none of them exists.
    """
    if os.geteuid() != 0:
        return Account(name=_name(os.geteuid()), uid=os.geteuid(), gid=os.getegid(), switch=False)
    if data.exists() and data.stat().st_uid != 0:
        owner = data.stat()
        return Account(name=_name(owner.st_uid), uid=owner.st_uid, gid=owner.st_gid, switch=True)
    for name in _ACCOUNTS_FOR_ROOT:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name=name, uid=entry.pw_uid, gid=entry.pw_gid, switch=True)
    raise EmbeddedPostgresError(
        "PostgreSQL does not run as root, and there is no user postgres or nobody to run it: start as an ordinary user"
    )


def spawn(
    argv: Sequence[str | Path],
    account: Account,
    *,
    stdin: int = subprocess.DEVNULL,
    output: int | IO[bytes] = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start a process as `account`, detached from the terminal so that its ^C does not reach the process.

    The environment is small and fixed: no PG* variable is inherited, messages are in English, the time zone is UTC. The
    working directory is `/`, because the account may have no access to that of this process.
    """
    return subprocess.Popen(
        argv,
        cwd="/",
        env=_environment(),
        stdin=stdin,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        umask=0o077,
        user=account.uid if account.switch else None,
        group=account.gid if account.switch else None,
        extra_groups=() if account.switch else None,
    )


def run(argv: Sequence[str | Path], account: Account) -> tuple[int, str]:
    """Run a short command as `account`: its exit code (126 if it cannot be started) and its output."""
    try:
        process = spawn(argv, account, output=subprocess.PIPE)
    except OSError as error:
        return 126, str(error)
    try:
        printed, _ = process.communicate()
    except BaseException:  # the terminal's ^C does not reach the process
        process.kill()
        process.wait()
        raise
    return process.returncode, printed.decode(errors="replace")


def can_enter(account: Account, directory: Path) -> bool:
    """Whether the account can enter an existing directory. Tried, not computed, because of access control lists."""
    code, _ = run(["/bin/sh", "-c", 'cd -- "$1"', "sh", directory], account)
    return code == 0


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # in a container the number may belong to no user
        return str(uid)


@frozen(kw_only=True)
class PidFile:
    """The content of `postmaster.pid`; `status` is `starting`, `ready`, `stopping`, or empty while it is written."""

    pid: int
    status: str


def parse_pid_file(text: str) -> PidFile | None:
    """Parse the lines pid, directory, start, port, socket, host, memory and status; None without a pid."""
    lines = [line.strip() for line in text.splitlines()]
    try:
        pid = abs(int(lines[0]))  # a single-user server writes a negative pid
    except (IndexError, ValueError):
        return None
    return PidFile(pid=pid, status=lines[7] if len(lines) > 7 else "") if pid else None


def read_pid_file(data: Path) -> PidFile | None:
    """The parsed `postmaster.pid` of a data directory; None without the file or without a pid in it."""
    try:
        return parse_pid_file((data / "postmaster.pid").read_text(errors="replace"))
    except FileNotFoundError:
        return None


def serves(pid: int, data: Path, *, proc: Path = Path("/proc")) -> bool:
    """Whether the process `pid` is a running PostgreSQL server of exactly this data directory.

    The working directory of a server is its data directory, so that decides where the system shows it. In a container
    root may not read the working directory of another user's process; there, and without /proc, the command line
    decides.
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
    if Path(os.fsdecode(words[0])).name != "postgres":  # a zombie has no command line
        return False
    try:
        return (process / "cwd").samefile(data)
    except OSError:
        return b"-D" in words and os.fsencode(data) in words


def stop_leftover(data: Path) -> None:
    """Stop a server that still runs in `data`, and remove a stale `postmaster.pid`. The caller owns the cluster.

    Raises EmbeddedPostgresError if the server does not end.
    """
    found = read_pid_file(data)
    if found is not None and serves(found.pid, data):
        _stop(found.pid, data)
    # With a stale file PostgreSQL does not start: it takes any program of the same user with that pid for a server, and
    # it rejects an empty file.
    (data / "postmaster.pid").unlink(missing_ok=True)


def _stop(pid: int, data: Path) -> None:
    for stop_signal, wait_seconds in _STOP_SIGNALS:
        deadline = time.monotonic() + wait_seconds
        try:
            os.kill(pid, stop_signal)
        except ProcessLookupError:
            return
        except PermissionError:
            break
        while time.monotonic() < deadline:
            if not serves(pid, data):
                return
            time.sleep(_POLL_SECONDS)
    raise EmbeddedPostgresError(f"a PostgreSQL left behind in {data} does not stop: end process {pid} by hand")


def stop_child(process: subprocess.Popen[bytes]) -> None:
    """Stop a server that is a child of this process, and wait until it has ended. Idempotent."""
    for stop_signal, wait_seconds in _STOP_SIGNALS:
        process.send_signal(stop_signal)  # does nothing after the end of the process
        try:
            process.wait(wait_seconds)
        except subprocess.TimeoutExpired:
            continue
        return
    raise EmbeddedPostgresError(f"PostgreSQL does not stop: end process {process.pid} by hand")
