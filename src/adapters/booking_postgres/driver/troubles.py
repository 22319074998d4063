"""Troubles of the database itself, as PostgreSQL names them: a full disk, a replica, too many connections, …

To a customer each of them is SERVICE_BUSY, as load is: their codes are not in the table of the API. The log, the checks
of health and the commands name the trouble, with the words of the server.
"""

from typing import ClassVar, Final

import psycopg

from booking_core.domain.errors import ServiceBusy, TransactionConflict
from booking_core.ports import HealthKind


class ConnectionLost(ServiceBusy):
    """The database is unreachable, or the connection was lost."""


class DatabaseTrouble(ServiceBusy):
    """The database reports a trouble. `problem` has the words of the server, `remedy` what an operator can do."""

    kind: ClassVar[HealthKind]
    what: ClassVar[str]
    remedy: ClassVar[str]

    def __init__(self, words: str = "") -> None:
        self.problem = f"{self.what}: {words}" if words else self.what
        super().__init__(f"{self.problem}; {self.remedy}")


class DatabaseReadOnly(DatabaseTrouble, TransactionConflict):
    """It takes no writes, perhaps since a failover: a new connection may reach the database that does."""

    code = "DATABASE_READ_ONLY"
    kind = HealthKind.READ_ONLY
    what = "the database takes no writes"
    remedy = "see whether it became a replica, and point BOOKING_DATABASE_URL to the primary"


class DiskFull(DatabaseTrouble):
    """A file of the database cannot grow."""

    code = "DATABASE_DISK_FULL"
    kind = HealthKind.DISK_FULL
    what = "the disk of the database is full"
    remedy = "free or add space where PostgreSQL keeps its files"


class OutOfMemory(DatabaseTrouble):
    """Memory, or the shared memory that holds locks, is used up."""

    code = "DATABASE_OUT_OF_MEMORY"
    kind = HealthKind.OUT_OF_MEMORY
    what = "the database is out of memory"
    remedy = "raise the limit of PostgreSQL that is used up, or give it more memory"


class TooManyConnections(DatabaseTrouble):
    """The server, the database, the user or a proxy has as many connections as it may have."""

    code = "DATABASE_TOO_MANY_CONNECTIONS"
    kind = HealthKind.TOO_MANY_CONNECTIONS
    what = "the database has no connection left"
    remedy = "raise max_connections, or end what holds the connections"


class OutOfResources(DatabaseTrouble):
    """Another limit of the server is reached."""

    code = "DATABASE_OUT_OF_RESOURCES"
    kind = HealthKind.OUT_OF_RESOURCES
    what = "a limit of the database is reached"
    remedy = "see the log of PostgreSQL"


class StorageFailed(DatabaseTrouble):
    """The server cannot read or write a file."""

    code = "DATABASE_STORAGE_FAILED"
    kind = HealthKind.STORAGE_FAILED
    what = "the storage of the database fails"
    remedy = "see the log of PostgreSQL and of its machine"


class StatementCancelled(DatabaseTrouble):
    """A statement_timeout, ours or that of a role, or an operator ended the statement."""

    code = "DATABASE_CANCELLED_STATEMENT"
    kind = HealthKind.CANCELLED_STATEMENT
    what = "the database cancelled a statement"
    remedy = "see which timeout (of the role, of a proxy) or which operator did"


class DatabaseStopping(DatabaseTrouble, ConnectionLost):
    """An operator or a crash ends the server, or this connection."""

    code = "DATABASE_STOPPING"
    kind = HealthKind.STOPPING
    what = "the database ended the connection"
    remedy = "see whether PostgreSQL is stopped or restarted, or crashed"


class DatabaseStarting(DatabaseTrouble, ConnectionLost):
    """The server starts or recovers, and accepts no connections yet."""

    code = "DATABASE_STARTING"
    kind = HealthKind.STARTING
    what = "the database does not accept connections yet"
    remedy = "wait until PostgreSQL has started or recovered"


_BY_SQLSTATE: Final[dict[str, type[DatabaseTrouble]]] = {
    "25006": DatabaseReadOnly,
    "53100": DiskFull,
    "53200": OutOfMemory,
    "53300": TooManyConnections,
    "57014": StatementCancelled,
    "57P01": DatabaseStopping,
    "57P02": DatabaseStopping,
    "57P03": DatabaseStarting,
    "57P04": DatabaseStopping,
    "57P05": DatabaseStopping,
}
_BY_CLASS: Final[dict[str, type[DatabaseTrouble]]] = {"53": OutOfResources, "58": StorageFailed}
# libpq has no SQLSTATE for a connection that was rejected, only the words of the server or of a proxy.
_BY_WORDS: Final[tuple[tuple[str, type[DatabaseTrouble]], ...]] = (
    ("too many clients", TooManyConnections),
    ("too many connections", TooManyConnections),
    ("connection slots", TooManyConnections),
    ("no more connections allowed", TooManyConnections),
    ("is starting up", DatabaseStarting),
    ("not yet accepting connections", DatabaseStarting),
    ("in recovery mode", DatabaseStarting),
    ("is shutting down", DatabaseStopping),
    ("session is read-only", DatabaseReadOnly),
    ("in hot standby mode", DatabaseReadOnly),
    ("No space left on device", DiskFull),
    ("out of memory", OutOfMemory),
)


def trouble_of(cause: psycopg.Error) -> DatabaseTrouble | None:
    """Return the trouble that the database reports with this error; None if it is another one."""
    state = cause.sqlstate
    words = words_of(cause)
    if state is not None:
        kind = _BY_SQLSTATE.get(state) or _BY_CLASS.get(state[:2])
        return kind(words) if kind else None
    if isinstance(cause, psycopg.OperationalError):
        return next((kind(words) for text, kind in _BY_WORDS if text in words), None)
    return None


def words_of(cause: psycopg.Error) -> str:
    """Return the text of the server and its hint, or that of libpq, as one line."""
    diagnostic = cause.diag
    if diagnostic.message_primary:
        hint = f" ({diagnostic.message_hint})" if diagnostic.message_hint else ""
        return " ".join(f"{diagnostic.message_primary}{hint}".split())
    return " ".join(str(cause).split()).removeprefix("connection failed: ")
