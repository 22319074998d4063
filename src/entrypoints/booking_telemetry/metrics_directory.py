"""A directory for the figures of several processes. One that a killed server left behind is removed by the next."""

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
# Whoever holds its lock uses the directory. The kernel lets go of it when the last of those processes is gone.
_LOCK: Final = "owner.lock"


@contextmanager
def own_directory() -> Iterator[Path]:
    """A new empty directory in the place for temporary ones, gone afterwards; processes forked meanwhile share it."""
    _remove_ownerless()
    directory, lock = _make()
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        os.close(lock)


def _make() -> tuple[Path, int]:
    while True:
        directory = Path(tempfile.mkdtemp(prefix=PREFIX))
        with suppress(FileNotFoundError):  # another's clean-up came before the lock: once more
            lock = os.open(directory / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if (directory / _LOCK).exists():
                return directory, lock
            os.close(lock)


def _remove_ownerless() -> None:
    """Only directories of our own user that have a lock which nobody holds; in doubt one stays."""
    for directory in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            seen = directory.lstat()
            if stat.S_ISDIR(seen.st_mode) and seen.st_uid == os.geteuid():
                _remove_if_ownerless(directory)


def _remove_if_ownerless(directory: Path) -> None:
    lock = os.open(directory / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(directory, ignore_errors=True)
    finally:
        os.close(lock)
