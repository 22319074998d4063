"""A real PostgreSQL for the tests: `database_url` (migrated), `stage` (an event in it), `fresh_database` (any number).

Each worker of pytest-xdist starts its own throw-away server when its first test asks for one. That takes a second,
spares the workers any agreement on which of them stops it, and keeps counters such as `pg_stat_database` apart.
Databases are copies of one that was migrated once. `BOOKING_TEST_POSTGRES_BIN` names the programs to use instead of
the wheel's, to run the suite on another version.
"""

import itertools
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from booking_postgres_embedded import EmbeddedPostgres
from tests.support.directories import open_directory
from tests.support.postgres.stage import Stage, open_store

_numbers = itertools.count(1)


class FreshDatabase(Protocol):
    """Makes an empty database, or a copy of the database named by `template`, and gives its URL."""

    def __call__(self, template: str | None = None) -> str: ...


def chosen_binaries() -> Path | None:
    """The programs named by BOOKING_TEST_POSTGRES_BIN; None: those that the adapter finds itself."""
    named = os.environ.get("BOOKING_TEST_POSTGRES_BIN")
    return Path(named) if named else None


def database_name(url: str) -> str:
    """The name of the database that a URL leads to, fit for `fresh_database(template=…)`."""
    return str(conninfo_to_dict(url)["dbname"])


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[EmbeddedPostgres]:
    """A throw-away server for all tests of this process. It survives no power cut; isolation and order are complete."""
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
    """The server's own database, as superuser: to inspect the server and to create databases, not for tables."""
    return postgres_server.url


@contextmanager
def databases(postgres_url: str) -> Iterator[FreshDatabase]:
    """Makes databases on a server; at the end they are dropped, and connections to them are closed."""
    names = (f"test_{os.getpid()}_{number}" for number in _numbers)
    made: list[str] = []
    with psycopg.connect(postgres_url, autocommit=True) as connection:

        def create(template: str | None = None) -> str:
            name = next(names)
            # A third faster than through the log, for the copy of a database of 8 MB on a server without fsync.
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template or "template1")))
            made.append(name)
            return postgres_url.replace(f"/{database_name(postgres_url)}?", f"/{name}?")

        yield create
        for name in made:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def fresh_database(postgres_url: str) -> Iterator[FreshDatabase]:
    """Makes databases of this test alone, and drops them after it."""
    with databases(postgres_url) as create:
        yield create


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str) -> Iterator[str]:
    """The name of a migrated, empty database to copy."""
    with databases(postgres_url) as create:
        url = create()
        store = open_store(url, 1)
        store.upkeep.migrate()
        store.close()
        yield database_name(url)


@pytest.fixture
def database_url(fresh_database: FreshDatabase, postgres_template: str) -> str:
    """A migrated, empty database of this test alone."""
    return fresh_database(template=postgres_template)


@pytest.fixture
def stage(database_url: str) -> Iterator[Stage]:
    """One event with twelve seats, in a database of this test alone."""
    with Stage.at(database_url) as stage:
        yield stage
