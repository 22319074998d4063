"""Ownership of a cluster: one process at a time may start and stop its server, and the server ends with that process.

The lock and the guard's pipe are file descriptors that the kernel closes when the owner ends, however it ends. A forked
child would keep a copy of them open, so it closes its copies at once.
"""

import contextlib
import fcntl
import os
from pathlib import Path

from booking_postgres_embedded.processes import Account, EmbeddedPostgresError, spawn

_descriptors: set[int] = set()
_registered = False


def _close_in_forks(descriptor: int) -> None:
    """Make each forked child close its copy, until `_close` is called."""
    global _registered
    if not _registered:
        os.register_at_fork(after_in_child=_close_copies)
        _registered = True
    _descriptors.add(descriptor)


def _close(descriptor: int) -> None:
    """Close a descriptor given to `_close_in_forks`; do nothing in a forked child, where it is closed."""
    if descriptor in _descriptors:
        _descriptors.discard(descriptor)
        os.close(descriptor)


def _close_copies() -> None:
    for descriptor in tuple(_descriptors):
        with contextlib.suppress(OSError):
            os.close(descriptor)
    _descriptors.clear()


# Waits for the end of its standard input, which is the owner's end, then stops the server if it is still the same one.
_GUARD_SCRIPT = 'read -r _; read -r pid <"$1/postmaster.pid" && [ "$pid" = "$2" ] && kill -INT "$2"'


class Guard:
    """A process that stops the server `pid` of the directory `data` if this process ends without calling `dismiss`."""

    def __init__(self, data: Path, pid: int, account: Account) -> None:
        reading, writing = os.pipe()
        try:
            self._process = spawn(
                ["/bin/sh", "-c", _GUARD_SCRIPT, "booking-postgres-guard", data, str(pid)], account, stdin=reading
            )
        except BaseException:
            os.close(writing)
            raise
        finally:
            os.close(reading)
        self._writing = writing
        _close_in_forks(writing)

    def dismiss(self) -> None:
        """End the guard, before the server is stopped by other means."""
        self._process.kill()
        self._process.wait()
        _close(self._writing)


class Ownership:
    """The exclusive right to start and stop the cluster of one home, from construction to `release`.

    Raises EmbeddedPostgresError with the pid of the present owner, also if that is this process.
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
        _close_in_forks(descriptor)

    def release(self) -> None:
        """Give the right up. Idempotent. The file stays: without it two processes could lock two files of one name."""
        _close(self._descriptor)
        self._descriptor = -1
