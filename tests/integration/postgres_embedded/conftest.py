"""Clusters to start, kill and restart: one is initialised, the tests get copies."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from booking_postgres_embedded import EmbeddedPostgres
from tests.support.directories import open_directory
from tests.support.postgres.fixtures import chosen_binaries
from tests.support.processes import stop

# Only root can close a directory to the server and run as somebody else; there is nothing to skip for others.
collect_ignore = [] if os.geteuid() == 0 else ["test_as_root.py"]

OWNER = Path(__file__).with_name("owner_process.py")


@dataclass(frozen=True, kw_only=True)
class Owner:
    """A process of its own that runs a server, and what it said about it when that was ready."""

    process: subprocess.Popen[str]
    said: dict[str, Any]


StartOwner = Callable[..., Owner]
MakeServer = Callable[..., EmbeddedPostgres]


@pytest.fixture(scope="session")
def initialised() -> Iterator[Path]:
    """The data directory of a stopped server, never to be started itself."""
    made = open_directory()
    with EmbeddedPostgres(made / "data", durable=False, binaries=chosen_binaries()):
        pass
    yield made / "data"
    shutil.rmtree(made)


@pytest.fixture
def data_dir(initialised: Path, directory: Path) -> Path:
    """A data directory with an initialised cluster, of this test alone."""
    subprocess.run(["cp", "-a", initialised, directory / "data"], check=True)
    return directory / "data"


@pytest.fixture
def server_at() -> Iterator[MakeServer]:
    """Makes servers that are stopped after the test."""
    with ExitStack() as after:

        def make(data_dir: Path, *, port: int | None = None) -> EmbeddedPostgres:
            server = EmbeddedPostgres(data_dir, port=port, durable=False, binaries=chosen_binaries())
            after.callback(server.stop)
            return server

        yield make


@pytest.fixture
def start_owner() -> Iterator[StartOwner]:
    """Starts processes that own a server, each in a process group of its own, killed after the test."""
    with ExitStack() as after:

        def start(data_dir: Path, *options: str, wait: bool = True) -> Owner:
            process = subprocess.Popen(
                [sys.executable, OWNER, data_dir, str(chosen_binaries() or ""), *options],
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                start_new_session=True,
            )
            after.callback(stop, process)  # kill -9 would leave its server stopping after the test
            assert process.stdout is not None
            return Owner(process=process, said=json.loads(process.stdout.readline()) if wait else {})

        yield start
