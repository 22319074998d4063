"""Driver exceptions end here: what leaves the adapter are the domain's typed errors."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors as pg
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from booking_core.domain.errors import ServiceBusy, TransactionConflict
from booking_postgres.driver.deadlines import NoAnswer
from booking_postgres.driver.pipeline import StatementFailed

_RUN_AGAIN = (pg.SerializationFailure, pg.DeadlockDetected)
# What a transaction-pooling proxy without prepared statements answers, and what a migration under our feet does.
_PREPARED_GONE = (pg.InvalidSqlStatementName, pg.DuplicatePreparedStatement, pg.FeatureNotSupported)
# The server stepped down, or ended a transaction that idled: a new connection may find one that serves.
_GONE_ELSEWHERE = (pg.ReadOnlySqlTransaction, pg.IdleInTransactionSessionTimeout)
_WAITED_LONG_ENOUGH = (pg.LockNotAvailable, pg.QueryCanceled)


class LockWaitTooLong(ServiceBusy):
    """Somebody else held the lock for the whole bounded wait."""


class ConnectionLost(ServiceBusy):
    """The database cannot be reached, or went away."""


class NoAnswerInTime(ConnectionLost):
    """The database is there and says nothing: another attempt would wait as long."""


class NoRight(PermissionError):
    """The database user lacks a right. `problem` is what the server said, `remedy` what an operator can do."""

    remedy = "grant that right to the user in BOOKING_DATABASE_URL"

    def __init__(self, said: str) -> None:
        self.problem = f"the database says {said}"
        super().__init__(f"{self.problem}: {self.remedy}")


class PreparedStatementGone(TransactionConflict):
    """The server does not have the statement that we prepared: run again without."""


def translate(error: BaseException) -> Exception | None:
    """The domain's error for a driver's, or NoRight; None if it is none that is expected."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if isinstance(cause, _RUN_AGAIN):
        return TransactionConflict()
    if isinstance(cause, _PREPARED_GONE):
        return PreparedStatementGone()
    if isinstance(cause, _WAITED_LONG_ENOUGH):
        return LockWaitTooLong()
    if isinstance(cause, pg.UniqueViolation):
        return TransactionConflict()
    if isinstance(cause, PoolTimeout):
        return ServiceBusy("All database connections are in use, please try again")
    if isinstance(cause, NoAnswer):
        return NoAnswerInTime()
    if isinstance(cause, _GONE_ELSEWHERE):
        return ConnectionLost()
    if isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError | DisconnectionError):
        return ConnectionLost()
    if type(cause) is psycopg.DatabaseError and cause.diag.sqlstate is None:
        return ConnectionLost()  # not the server's words but libpq's: it ended a pipeline that nobody answers
    if isinstance(cause, pg.InsufficientPrivilege):
        return NoRight(cause.diag.message_primary or "permission denied")
    return None


def reason_of(error: BaseException) -> str:
    """What the server said when it did not let us in, ` (it says: password …)`; empty if it said nothing."""
    cause = error.__cause__
    while cause is not None:
        _, fatal, said = str(cause).partition("FATAL:")
        if fatal:
            return f" (it says: {' '.join(said.splitlines()[0].split())})"
        cause = cause.__cause__
    return ""


@contextmanager
def translated() -> Iterator[None]:
    """Raises the domain's error for a driver's; everything unexpected passes."""
    try:
        yield
    except StatementFailed as failure:
        raise translate(failure.error) or failure.error from failure.error
    except (psycopg.Error, DBAPIError, PoolTimeout, DisconnectionError) as error:
        known = translate(error)
        if known is None:
            raise
        raise known from error
