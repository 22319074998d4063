"""Who runs PostgreSQL: it refuses to run as root, so for root another account of the machine stands in."""

import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from booking_postgres_embedded.errors import EmbeddedPostgresError

_STAND_INS = ("postgres", "nobody")


@dataclass(frozen=True, kw_only=True)
class Account:
    """A user of the machine. `switch` says that processes have to change to it, so files have to be given to it."""

    name: str
    uid: int
    gid: int
    switch: bool


def server_account(data: Path) -> Account:
    """The account to run the server of the directory `data` as, which need not exist yet.

    It is ourselves, except for root: then the owner of the data if there is any (the stand-in may have been chosen
    when the machine had other users), else `postgres`, else `nobody`. Raises EmbeddedPostgresError if there is none.
    """
    if os.geteuid() != 0:
        return Account(name=_name(os.geteuid()), uid=os.geteuid(), gid=os.getegid(), switch=False)
    if data.exists() and data.stat().st_uid != 0:
        owner = data.stat()
        return Account(name=_name(owner.st_uid), uid=owner.st_uid, gid=owner.st_gid, switch=True)
    for name in _STAND_INS:
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
    """Start a process as `account`, detached from the terminal so that its ^C does not reach it.

    Its environment is small and fixed: no PG* setting of ours leaks in, its messages are in English, its time is UTC.
    The working directory is `/`, because ours may be closed to the account.
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
    """Run a short command as `account`: its exit code (126 if it cannot even be started) and what it printed."""
    try:
        process = spawn(argv, account, output=subprocess.PIPE)
    except OSError as error:
        return 126, str(error)
    try:
        printed, _ = process.communicate()
    except BaseException:  # ^C does not reach it by itself
        process.kill()
        process.wait()
        raise
    return process.returncode, printed.decode(errors="replace")


def can_enter(account: Account, directory: Path) -> bool:
    """Whether the account can pass through every parent of an existing directory. Asked, not computed: ACLs count."""
    code, _ = run(["/bin/sh", "-c", 'cd -- "$1"', "sh", directory], account)
    return code == 0


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # containers run as numbers that no user has
        return str(uid)
