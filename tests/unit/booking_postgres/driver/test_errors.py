"""Each driver error that is expected becomes the domain's; the others are left as they are."""

import psycopg
import pytest
from psycopg import errors as pg
from sqlalchemy.exc import DBAPIError, DisconnectionError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from booking_core.domain.errors import ServiceBusy, TransactionConflict
from booking_postgres.driver.errors import (
    LockWaitTooLong,
    NoRight,
    PreparedStatementGone,
    translate,
    translated,
)
from booking_postgres.driver.pipeline import StatementFailed
from booking_postgres.driver.troubles import (
    ConnectionLost,
    DatabaseReadOnly,
    DatabaseStarting,
    DatabaseStopping,
    DatabaseTrouble,
    DiskFull,
    OutOfMemory,
    OutOfResources,
    StatementCancelled,
    StorageFailed,
    TooManyConnections,
)

EXPECTED: list[tuple[Exception, type[Exception]]] = [
    (pg.SerializationFailure(), TransactionConflict),
    (pg.DeadlockDetected(), TransactionConflict),
    (pg.UniqueViolation(), TransactionConflict),
    (pg.InvalidSqlStatementName(), PreparedStatementGone),
    (pg.DuplicatePreparedStatement(), PreparedStatementGone),
    (pg.FeatureNotSupported(), PreparedStatementGone),
    (pg.LockNotAvailable(), LockWaitTooLong),
    (pg.QueryCanceled(), StatementCancelled),
    (pg.AdminShutdown(), DatabaseStopping),
    (pg.CrashShutdown(), DatabaseStopping),
    (pg.CannotConnectNow(), DatabaseStarting),
    (pg.TooManyConnections(), TooManyConnections),
    (pg.ReadOnlySqlTransaction(), DatabaseReadOnly),
    (pg.DiskFull(), DiskFull),
    (pg.OutOfMemory(), OutOfMemory),
    (pg.ConfigurationLimitExceeded(), OutOfResources),
    (pg.IoError(), StorageFailed),
    (pg.IdleInTransactionSessionTimeout(), ConnectionLost),
    (psycopg.OperationalError("the connection is lost"), ConnectionLost),
    (psycopg.DatabaseError("server closed the connection unexpectedly"), ConnectionLost),
    (psycopg.InterfaceError("the connection is closed"), ConnectionLost),
    (DisconnectionError(), ConnectionLost),
    (PoolTimeout(), ServiceBusy),
    (pg.InsufficientPrivilege(), NoRight),
]
# libpq has no SQLSTATE for a connection that was rejected.
REJECTED: list[tuple[str, type[DatabaseTrouble]]] = [
    ("FATAL:  sorry, too many clients already", TooManyConnections),
    ('FATAL:  too many connections for role "booking"', TooManyConnections),
    ("FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute", TooManyConnections),
    ("FATAL:  no more connections allowed (max_client_conn)", TooManyConnections),
    ("FATAL:  the database system is starting up", DatabaseStarting),
    ("FATAL:  the database system is not yet accepting connections", DatabaseStarting),
    ("FATAL:  the database system is in recovery mode", DatabaseStarting),
    ("FATAL:  the database system is shutting down", DatabaseStopping),
    ("session is read-only", DatabaseReadOnly),
    ('FATAL:  could not write init file "base/1/pg_internal.init": No space left on device', DiskFull),
]
UNEXPECTED = [pg.UndefinedTable(), pg.CheckViolation(), pg.SyntaxError(), KeyError()]


@pytest.mark.parametrize(("error", "kind"), EXPECTED, ids=lambda value: getattr(value, "__name__", repr(value)))
def test_an_expected_error_is_the_domains(error: Exception, kind: type[Exception]) -> None:
    assert type(translate(error)) is kind


@pytest.mark.parametrize(("words", "kind"), REJECTED)
def test_a_rejected_connection_is_known_by_its_words(words: str, kind: type[DatabaseTrouble]) -> None:
    error = translate(psycopg.OperationalError(f"connection failed: connection to server failed: {words}"))

    assert type(error) is kind
    assert error.problem == f"{kind.what}: connection to server failed: {' '.join(words.split())}"


@pytest.mark.parametrize("error", UNEXPECTED, ids=repr)
def test_an_unexpected_error_is_none(error: Exception) -> None:
    assert translate(error) is None


def test_sqlalchemys_wrapping_is_seen_through() -> None:
    wrapped = OperationalError("SELECT 1", {}, pg.DeadlockDetected())

    assert type(translate(wrapped)) is TransactionConflict
    assert translate(DBAPIError("SELECT 1", {}, pg.UndefinedTable())) is None


@pytest.mark.parametrize("error", [pg.AdminShutdown(), StatementFailed("lock", pg.AdminShutdown())], ids=repr)
def test_what_leaves_a_translated_block_is_the_domains(error: Exception) -> None:
    with pytest.raises(ConnectionLost) as lost, translated():
        raise error

    assert isinstance(lost.value.__cause__, pg.AdminShutdown)


@pytest.mark.parametrize("error", [pg.UndefinedTable(), StatementFailed("lock", pg.UndefinedTable())], ids=repr)
def test_the_unexpected_leaves_it_as_the_drivers_own(error: Exception) -> None:
    with pytest.raises(pg.UndefinedTable), translated():
        raise error
