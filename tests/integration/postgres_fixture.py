"""A real PostgreSQL for the tests: `postgres_server`, `postgres_url`, and an empty database per test, `fresh_database`.

Each worker of pytest-xdist starts its own throw-away server when its first test asks for one. That is a second of work,
spares the workers any agreement on who stops it, and keeps counters such as `pg_stat_database` to oneself.
`BOOKING_TEST_POSTGRES_BIN` names the programs to use instead of the wheel's, to run the suite on another version.
"""

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from booking_postgres_embedded import EmbeddedPostgres

_numbers = itertools.count(1)


class FreshDatabase(Protocol):
    """Makes an empty database, or a copy of the database named by `template`, and gives its URL."""

    def __call__(self, template: str | None = None) -> str: ...


def chosen_binaries() -> Path | None:
    """The programs named by BOOKING_TEST_POSTGRES_BIN; None: those that the adapter finds itself."""
    named = os.environ.get("BOOKING_TEST_POSTGRES_BIN")
    return Path(named) if named else None


def open_directory() -> Path:
    """A new temporary directory that every user can enter: pytest's own are closed to the one who runs the server.

    In memory where there is plenty: a cluster is a thousand small files. TMPDIR decides when it is set.
    """
    directory = Path(tempfile.mkdtemp(prefix="booking test ", dir=None if os.environ.get("TMPDIR") else _in_memory()))
    directory.chmod(0o755)
    return directory


def _in_memory() -> Path | None:
    shared = Path("/dev/shm")
    plenty = shared.is_dir() and os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > 4 << 30
    return shared if plenty else None


def database_name(url: str) -> str:
    """The name of the database that a URL leads to, fit for `fresh_database(template=…)`."""
    return str(conninfo_to_dict(url)["dbname"])


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[EmbeddedPostgres]:
    """A throw-away server for all tests of this process. It forgets power cuts, never isolation or order."""
    directory = open_directory()
    server = EmbeddedPostgres(directory, durable=False, settings={"max_connections": "200"}, binaries=chosen_binaries())
    try:
        server.start()
        yield server
    finally:
        server.destroy()
        shutil.rmtree(directory)


@pytest.fixture(scope="session")
def postgres_url(postgres_server: EmbeddedPostgres) -> str:
    """The server's own database, as superuser: for looking at the server and making databases, not for tables."""
    return postgres_server.url


@contextmanager
def databases(postgres_url: str) -> Iterator[FreshDatabase]:
    """Makes databases on a server; at the end they are dropped, whoever is still connected."""
    names = (f"test_{os.getpid()}_{number}" for number in _numbers)
    made: list[str] = []
    with psycopg.connect(postgres_url, autocommit=True) as connection:

        def create(template: str | None = None) -> str:
            name = next(names)
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template or "template1")))
            made.append(name)
            return postgres_url.replace(f"/{database_name(postgres_url)}?", f"/{name}?")

        yield create
        for name in made:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def fresh_database(postgres_url: str) -> Iterator[FreshDatabase]:
    """Makes databases that this test alone sees, and drops them after it."""
    with databases(postgres_url) as create:
        yield create
