"""`booking dev` in throw-away directories; whatever a test started is gone after it."""

import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.integration.dev.running import Dev, dev_command, environment, free_port
from tests.integration.postgres_fixture import open_directory

StartDev = Callable[..., Dev]


@contextmanager
def starting() -> Iterator[StartDev]:
    """Gives what starts one and waits until it is ready; all are stopped at the end of the block."""
    with ExitStack() as after:

        def start(data_dir: Path, *options: str, port: int | None = None, **settings: str) -> Dev:
            errors = data_dir.with_suffix(".errors")
            process = subprocess.Popen(
                dev_command(data_dir, port or free_port(), *options),
                env=environment(**settings),
                cwd="/",
                stdout=subprocess.PIPE,
                stderr=after.enter_context(errors.open("w")),
                text=True,
                start_new_session=True,
            )
            after.enter_context(process)
            after.callback(process.send_signal, signal.SIGTERM)
            dev = Dev(process, errors=errors)
            dev.read_walk()
            return dev

        yield start


@pytest.fixture
def start_dev() -> Iterator[StartDev]:
    """Starts one and waits until it is ready."""
    with starting() as start:
        yield start


@pytest.fixture
def directory() -> Iterator[Path]:
    """An empty directory that PostgreSQL's user can enter as well."""
    made = open_directory()
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="session")
def dev() -> Iterator[Dev]:
    """One that most tests share: each books as a user of its own."""
    made = open_directory()
    with starting() as start:
        yield start(made / "data")
    shutil.rmtree(made)
