"""One owner at a time: a lock that the kernel lets go when its holder dies, however it dies."""

import contextlib
import fcntl
import os
from pathlib import Path

from booking_postgres_embedded import ownership
from booking_postgres_embedded.account import Account, spawn
from booking_postgres_embedded.errors import EmbeddedPostgresError

_ours: set[int] = set()
_registered = False


def keep_from_forks(descriptor: int) -> None:
    """From now on a forked child closes its copy at once, until `close` is called."""
    global _registered
    if not _registered:
        os.register_at_fork(after_in_child=_close_copies)
        _registered = True
    _ours.add(descriptor)


def close(descriptor: int) -> None:
    """Close what was given to `keep_from_forks`; in a forked child, where it is closed already, do nothing."""
    if descriptor in _ours:
        _ours.discard(descriptor)
        os.close(descriptor)


def _close_copies() -> None:
    for descriptor in tuple(_ours):
        with contextlib.suppress(OSError):
            os.close(descriptor)
    _ours.clear()


_SCRIPT = 'read -r _; read -r pid <"$1/postmaster.pid" && [ "$pid" = "$2" ] && kill -INT "$2"'


class Guard:
    """Stops the server `pid` of the directory `data` when this process ends without having said `dismiss`."""

    def __init__(self, data: Path, pid: int, account: Account) -> None:
        reading, writing = os.pipe()
        try:
            self._process = spawn(
                ["/bin/sh", "-c", _SCRIPT, "booking-postgres-guard", data, str(pid)], account, stdin=reading
            )
        except BaseException:
            os.close(writing)
            raise
        finally:
            os.close(reading)
        self._writing = writing
        ownership.keep_from_forks(writing)

    def dismiss(self) -> None:
        """The server is stopped by other means; the guard is gone when this returns."""
        self._process.kill()
        self._process.wait()
        ownership.close(self._writing)


class Ownership:
    """The right to start and stop the cluster of one home, held from construction to `release`.

    Raises EmbeddedPostgresError naming the process that holds it already; also for a second owner in one process.
    """

    def __init__(self, lock: Path) -> None:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise EmbeddedPostgresError(
                f"the database in {lock.parent} is already in use by process {holder}: "
                "stop it, or choose another data directory"
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor
        ownership.keep_from_forks(descriptor)

    def release(self) -> None:
        """Idempotent. The file stays: removing it would let two processes hold two locks of one name."""
        ownership.close(self._descriptor)
        self._descriptor = -1
