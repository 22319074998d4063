"""A database that can be killed: the same data on the same port, life after life."""

import os
import shutil
import signal
from typing import Final

import psycopg

from booking_postgres_embedded import EmbeddedPostgres
from tests.support.directories import open_directory
from tests.support.postgres.fixtures import chosen_binaries
from tests.support.processes import free_port

WAYS_TO_DIE: Final = (signal.SIGKILL, signal.SIGQUIT)
"""kill -9 of the postmaster, and its own immediate shutdown: no session is told politely, recovery follows."""


class MortalPostgres:
    """A server of our own. What was committed outlives its process, though not the machine's power."""

    def __init__(self) -> None:
        self._directory = open_directory()
        self._databases = 0
        self._server = EmbeddedPostgres(
            self._directory,
            port=free_port(),
            durable=False,
            settings={"max_connections": "100"},
            binaries=chosen_binaries(),
        )

    def start(self) -> None:
        """Returns when it takes connections; does nothing if it runs."""
        self._server.start()

    @property
    def pid(self) -> int:
        """Of the postmaster, which runs."""
        return int((self._server.location / "data" / "postmaster.pid").read_text().split("\n", 1)[0])

    @property
    def guard(self) -> int:
        """Of the process that stops the postmaster when this one ends."""
        assert self._server._guard is not None
        return self._server._guard._process.pid

    def kill(self, way: signal.Signals = signal.SIGKILL) -> None:
        """It is gone when this returns."""
        pid = self.pid
        os.kill(pid, way)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

    def new_database(self) -> str:
        """The URL of an empty database."""
        self._databases += 1
        name = f"chaos_{self._databases}"
        with psycopg.connect(self._server.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self._server.url.replace("/booking?", f"/{name}?")

    def destroy(self) -> None:
        """Nothing is left of it."""
        self._server.destroy()
        shutil.rmtree(self._directory)
