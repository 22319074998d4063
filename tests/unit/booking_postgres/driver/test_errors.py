"""Each driver error that is expected becomes the domain's; the others are left as they are."""

import psycopg
import pytest
from psycopg import errors as pg
from sqlalchemy.exc import DBAPIError, DisconnectionError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from booking_core.domain.errors import ServiceBusy, TransactionConflict
from booking_postgres.driver.errors import (
    ConnectionLost,
    LockWaitTooLong,
    NoRight,
    PreparedStatementGone,
    translate,
    translated,
)
from booking_postgres.driver.pipeline import StatementFailed

EXPECTED: list[tuple[Exception, type[Exception]]] = [
    (pg.SerializationFailure(), TransactionConflict),
    (pg.DeadlockDetected(), TransactionConflict),
    (pg.UniqueViolation(), TransactionConflict),
    (pg.InvalidSqlStatementName(), PreparedStatementGone),
    (pg.DuplicatePreparedStatement(), PreparedStatementGone),
    (pg.FeatureNotSupported(), PreparedStatementGone),
    (pg.LockNotAvailable(), LockWaitTooLong),
    (pg.QueryCanceled(), LockWaitTooLong),
    (pg.AdminShutdown(), ConnectionLost),
    (pg.CrashShutdown(), ConnectionLost),
    (pg.CannotConnectNow(), ConnectionLost),
    (pg.TooManyConnections(), ConnectionLost),
    (pg.ReadOnlySqlTransaction(), ConnectionLost),
    (pg.IdleInTransactionSessionTimeout(), ConnectionLost),
    (psycopg.OperationalError("the connection is lost"), ConnectionLost),
    (psycopg.DatabaseError("server closed the connection unexpectedly"), ConnectionLost),
    (psycopg.InterfaceError("the connection is closed"), ConnectionLost),
    (DisconnectionError(), ConnectionLost),
    (PoolTimeout(), ServiceBusy),
    (pg.InsufficientPrivilege(), NoRight),
]
UNEXPECTED = [pg.UndefinedTable(), pg.CheckViolation(), pg.SyntaxError(), KeyError()]


@pytest.mark.parametrize(("error", "kind"), EXPECTED, ids=lambda value: getattr(value, "__name__", repr(value)))
def test_an_expected_error_is_the_domains(error: Exception, kind: type[Exception]) -> None:
    assert type(translate(error)) is kind


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
