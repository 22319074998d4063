"""`booking dev` in a directory that looks like the project's after `make`, as the pages want it."""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from attrs import frozen

from tests.integration.docs.pages import Step, walk
from tests.support.dev import Dev, environment, starting
from tests.support.directories import open_directory
from tests.support.processes import free_port


@frozen
class Desk:
    """Where a reader sits: a directory with `.venv` and `.booking`, and the demo running in it."""

    directory: Path
    dev: Dev
    settings: dict[str, str]

    def walk(self, steps: list[Step], **variables: str) -> None:
        """Type the steps; addresses of the pages are those of this demo."""
        other = str(free_port())
        here = [
            Step(
                step.typed.replace("http://127.0.0.1:8000", self.dev.url)
                .replace("--port 8001", f"--port {other}")
                .replace("127.0.0.1:8001", f"127.0.0.1:{other}"),
                step.promised,
            )
            for step in steps
        ]
        walk(here, directory=self.directory, environment=environment(**self.settings, **variables))


SitDown = Callable[..., Desk]


@pytest.fixture(scope="module")
def sit_down() -> Iterator[SitDown]:
    """Starts a demo; `settings` are in its environment and in the reader's."""
    with ExitStack() as after:

        def start(*options: str, **settings: str) -> Desk:
            directory = open_directory()
            after.callback(shutil.rmtree, directory)
            (directory / ".venv").symlink_to(sys.prefix)
            start_dev = after.enter_context(starting())
            return Desk(directory, start_dev(directory / ".booking", *options, cwd=directory, **settings), settings)

        yield start


@pytest.fixture(scope="module")
def desk(sit_down: SitDown) -> Desk:
    """One that several pages share: each books as a customer of its own."""
    return sit_down()
