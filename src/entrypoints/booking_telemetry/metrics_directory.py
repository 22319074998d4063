"""A directory for the metric files of several processes. A server removes directories that killed servers left."""

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

PREFIX: Final = "booking-metrics-"
# Locked as long as a process uses the directory; the kernel releases the lock when the last of these processes ends.
_LOCK: Final = "owner.lock"


@contextmanager
def own_directory() -> Iterator[Path]:
    """A new empty temporary directory, removed at the end of the block; processes forked in the block share it."""
    _remove_abandoned()
    directory, lock = _make()
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        os.close(lock)


def _make() -> tuple[Path, int]:
    while True:
        directory = Path(tempfile.mkdtemp(prefix=PREFIX))
        with suppress(FileNotFoundError):  # another server removed the directory before the lock was taken: try again
            lock = os.open(directory / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if (directory / _LOCK).exists():
                return directory, lock
            os.close(lock)


def _remove_abandoned() -> None:
    """Remove directories of the same user whose lock exists and is free; keep a directory in doubt."""
    for directory in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            status = directory.lstat()
            if stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid():
                _remove_if_unlocked(directory)


def _remove_if_unlocked(directory: Path) -> None:
    lock = os.open(directory / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(directory, ignore_errors=True)
    finally:
        os.close(lock)
