"""One owner at a time: a lock that the kernel lets go when its holder dies, however it dies."""

import fcntl
import os
from pathlib import Path

from booking_postgres_embedded import fork_safety
from booking_postgres_embedded.errors import EmbeddedPostgresError


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
        fork_safety.keep_from_forks(descriptor)

    def release(self) -> None:
        """Idempotent. The file stays: removing it would let two processes hold two locks of one name."""
        fork_safety.close(self._descriptor)
        self._descriptor = -1
