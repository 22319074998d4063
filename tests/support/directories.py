"""Temporary directories that a server of another user can enter."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


def open_directory() -> Path:
    """A new temporary directory that every user can enter; pytest's own are closed to the user that runs PostgreSQL.

    In memory if 4 GiB are free there, because a cluster is a thousand small files. TMPDIR decides when it is set.
    """
    directory = Path(tempfile.mkdtemp(prefix="booking test ", dir=None if os.environ.get("TMPDIR") else _in_memory()))
    directory.chmod(0o755)
    return directory


def _in_memory() -> Path | None:
    shared = Path("/dev/shm")
    plenty = shared.is_dir() and os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > 4 << 30
    return shared if plenty else None


@pytest.fixture
def directory() -> Iterator[Path]:
    """An empty directory that every user can enter."""
    made = open_directory()
    yield made
    shutil.rmtree(made)
