"""A PostgreSQL of the benchmark's own, with fsync on, and databases in it."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import psycopg
from psycopg import sql

from benchmarks.errors import BenchmarkFailed
from booking_postgres_embedded import EmbeddedPostgres

_SETTINGS: Final = {"shared_buffers": "512MB", "max_wal_size": "4GB", "synchronous_commit": "on"}
_NO_SETTINGS: Final[Mapping[str, str]] = MappingProxyType({})
_LOOK_AGAIN_SECONDS: Final = 0.1


@contextmanager
def postgres(settings: Mapping[str, str] = _NO_SETTINGS) -> Iterator[EmbeddedPostgres]:
    """A durable server (fsync and synchronous_commit on) with data of its own, gone afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="booking-bench-"))
    server = EmbeddedPostgres(directory, settings={**_SETTINGS, **settings})
    try:
        server.start()
        yield server
    finally:
        server.destroy()
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def database(server: EmbeddedPostgres, name: str, template: str = "template1") -> Iterator[str]:
    """The URL of a new database on the server, a copy of `template`; dropped afterwards."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        # By files: written through the log, a large copy would still be paid for while the benchmark runs.
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
        connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
    try:
        yield url_of(server, name)
    finally:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def url_of(server: EmbeddedPostgres, name: str) -> str:
    """The server's URL with another database."""
    before, _, options = server.url.partition("?")
    return f"{before.rsplit('/', 1)[0]}/{name}?{options}"


def checkpoint(url: str) -> None:
    """Write everything out now, so that no run pays for what was done before it."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")


def ask(url: str, query: str, values: Mapping[str, Any] | None = None) -> tuple[Any, ...]:
    """The one row of the answer."""
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode(), values).fetchone()
    if row is None:
        raise BenchmarkFailed(f"no row: {query}")
    return tuple(row)


def rate_of(url: str, moments: str) -> float:
    """Rows a second, from the moments that the database itself has written beside each row.

    `moments` is a query of one column `at`. What came first is the start of the clock and is not counted, so that the
    start of the program is no part of it.
    """
    query = f"""
        WITH moments AS MATERIALIZED ({moments}), ends AS (SELECT min(at) AS first, max(at) AS last FROM moments)
        SELECT (SELECT count(*) FROM moments WHERE at > first), extract(epoch FROM last - first)::float8 FROM ends
    """
    count, seconds = ask(url, query)
    if not seconds:
        raise BenchmarkFailed("there was too little work to measure: everything was done in one step")
    return float(count / seconds)


def until(url: str, condition: str, *, seconds: float, alive: Callable[[], None]) -> None:
    """Wait until the condition (a query of one boolean) holds. BenchmarkFailed after so many seconds.

    `alive` raises when whoever should bring it about is gone.
    """
    give_up_at = time.monotonic() + seconds
    with psycopg.connect(url, autocommit=True) as connection:
        while True:
            row = connection.execute(condition.encode()).fetchone()
            if row is not None and row[0]:
                return
            alive()
            if time.monotonic() > give_up_at:
                raise BenchmarkFailed(f"still not true after {seconds:.0f} s: {condition}")
            time.sleep(_LOOK_AGAIN_SECONDS)
