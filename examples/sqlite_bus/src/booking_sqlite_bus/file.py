"""The SQLite file: one connection to it, its tables, and what its errors mean."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Final

from attrs import define, field

from booking_core import BusUnavailable

_WAIT_SECONDS: Final = 5.0
_LOOK_AGAIN_SECONDS: Final = 0.02
_VERSION: Final = 1
_TABLES: Final = (
    "CREATE TABLE messages (topic TEXT NOT NULL, partition INTEGER NOT NULL, position INTEGER NOT NULL,"
    " sent_at INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, headers TEXT NOT NULL,"
    " PRIMARY KEY (topic, partition, position))",
    "CREATE INDEX messages_by_age ON messages (sent_at)",
    # Where each partition ends is kept apart from its messages: these are removed one day.
    "CREATE TABLE ends (topic TEXT NOT NULL, partition INTEGER NOT NULL, position INTEGER NOT NULL,"
    " PRIMARY KEY (topic, partition))",
    "CREATE TABLE groups (topic TEXT NOT NULL, name TEXT NOT NULL, generation INTEGER NOT NULL,"
    " PRIMARY KEY (topic, name))",
    "CREATE TABLE progress (topic TEXT NOT NULL, name TEXT NOT NULL, partition INTEGER NOT NULL,"
    " position INTEGER NOT NULL, PRIMARY KEY (topic, name, partition))",
    "CREATE TABLE members (id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, name TEXT NOT NULL,"
    " seen_at REAL NOT NULL)",
    "CREATE INDEX members_by_group ON members (topic, name)",
    f"PRAGMA user_version = {_VERSION}",
)


@define(eq=False)
class BusFile:
    """One connection, opened when it is first needed; threads take turns. Every wait for other processes is bounded.

    Both blocks raise BusUnavailable for whatever SQLite complains of: locked for too long, no such directory, disk
    full, no database.
    """

    path: Path
    _connection: sqlite3.Connection | None = field(default=None, init=False)
    _is_open: bool = field(default=True, init=False)
    _turn: Lock = field(factory=Lock, init=False)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """All that is read in the block is of one moment."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """What is written in the block is on the disk when it ends, or none of it is. One writer at a time."""
        # IMMEDIATE: a transaction that begins by reading and then writes fails when another wrote in between.
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    def close(self) -> None:
        """Let go of the file. May be called twice."""
        with self._turn:
            self._is_open = False
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self._turn:
            if not self._is_open:
                raise BusUnavailable("The bus is closed")
            try:
                if self._connection is None:
                    self._connection = _opened(self.path)
                with _ended(self._connection, begin):
                    yield self._connection
            except sqlite3.DatabaseError as error:
                raise BusUnavailable(f"{self.path}: {error}") from error


@contextmanager
def _ended(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    """A transaction around the block: committed, or rolled back after an error."""
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # Some errors, a full disk for one, have rolled back already; then there is nothing to roll back.
        with suppress(sqlite3.OperationalError):
            connection.execute("ROLLBACK")
        raise


def _opened(path: Path) -> sqlite3.Connection:
    # Each connection is used by one thread at a time, under the lock of its BusFile.
    connection = sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        _write_ahead(connection)
        # FULL: a commit is on the disk when it returns, power cuts included. That is what `publish` promises.
        connection.execute("PRAGMA synchronous = FULL")
        if _version(connection) == 0:
            with _ended(connection, "BEGIN IMMEDIATE"):
                _make_tables(connection)
        if _version(connection) != _VERSION:
            raise sqlite3.DatabaseError(f"its tables have version {_version(connection)}, not {_VERSION}")
    except BaseException:
        connection.close()
        raise
    return connection


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Readers and the writer do not wait for each other. The change waits for nobody, so it is tried again."""
    give_up_at = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() >= give_up_at:
                raise
        time.sleep(_LOOK_AGAIN_SECONDS)


def _make_tables(connection: sqlite3.Connection) -> None:
    if _version(connection) == 0:  # looked at again: whoever had the turn before us may have made them
        for statement in _TABLES:
            connection.execute(statement)


def _version(connection: sqlite3.Connection) -> int:
    [version] = connection.execute("PRAGMA user_version").fetchone()
    return int(version)
