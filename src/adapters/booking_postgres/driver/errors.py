"""Translation of driver errors: only typed errors of the domain leave the adapter."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import psycopg
from psycopg import errors as pg
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from booking_core.domain.errors import CommitOutcomeUnknown, ServiceBusy, TransactionConflict
from booking_postgres.driver.connection import NoAnswer
from booking_postgres.driver.pipeline import StatementFailed
from booking_postgres.driver.troubles import ConnectionLost, trouble_of, words_of

DRIVER_ERRORS = (psycopg.Error, DBAPIError, PoolTimeout, DisconnectionError)
_RUN_AGAIN = (pg.SerializationFailure, pg.DeadlockDetected, pg.UniqueViolation)
# From a transaction-pooling proxy without prepared statements, or after a migration changed a table.
_PREPARED_GONE = (pg.InvalidSqlStatementName, pg.DuplicatePreparedStatement, pg.FeatureNotSupported)


_LOST = (psycopg.OperationalError, psycopg.InterfaceError, pg.IdleInTransactionSessionTimeout)


class LockWaitTooLong(ServiceBusy):
    """Another transaction held the lock for the whole bounded wait."""


class NoAnswerInTime(ConnectionLost):
    """The database accepts connections and does not answer; another attempt would wait as long."""


class NoRight(PermissionError):
    """The database user lacks a right. `problem` has the text of the server, `remedy` what an operator can do."""

    remedy = "grant that right to the user in BOOKING_DATABASE_URL"

    def __init__(self, text: str) -> None:
        self.problem = f"the database says {text}"
        super().__init__(f"{self.problem}: {self.remedy}")


class WrongEncoding(ServiceBusy):
    """The database, or the session of a caller, cannot hold every name: its encoding is not UTF-8."""

    def __init__(self, problem: str, remedy: str) -> None:
        self.problem, self.remedy = f"{problem}, and UTF8 is needed", remedy
        super().__init__(f"{self.problem}: {self.remedy}")


class PreparedStatementGone(TransactionConflict):
    """The server does not have the prepared statement: run again without preparing."""


def translate(error: BaseException) -> Exception | None:
    """Return the domain's error for a driver error, or NoRight; None for an unexpected error."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if isinstance(cause, _RUN_AGAIN):
        return TransactionConflict()
    if isinstance(cause, _PREPARED_GONE):
        return PreparedStatementGone()
    if isinstance(cause, pg.LockNotAvailable):
        return LockWaitTooLong()
    if isinstance(cause, PoolTimeout):
        return ServiceBusy("All database connections are in use, please try again")
    if isinstance(cause, NoAnswer):
        return NoAnswerInTime()
    if isinstance(cause, psycopg.Error) and (trouble := trouble_of(cause)):
        return trouble
    if isinstance(cause, pg.ProgramLimitExceeded):
        return None  # psycopg counts it among the operational errors, but it says that a value is too large
    if isinstance(cause, _LOST):
        return ConnectionLost(f"The connection to the database is lost: {words_of(cause)}")
    if type(cause) is psycopg.DatabaseError and cause.diag.sqlstate is None:
        # Raised by libpq itself: it ended a pipeline without a response.
        return ConnectionLost(f"The connection to the database is lost: {words_of(cause)}")
    if isinstance(cause, DisconnectionError):
        return ConnectionLost()
    if isinstance(cause, pg.InsufficientPrivilege):
        return NoRight(cause.diag.message_primary or "permission denied")
    return None


def error_of_lost_connection(error: Exception | None, *, is_first: bool, commits: bool) -> Exception | None:
    """Return what the loss means for the transaction; None if the connection was not lost, or the loss says no more.

    `is_first`: nothing was sent before, so the connection may have been dead already, and another one may serve. A
    server that does not answer gets no second request.
    """
    if not isinstance(error, ConnectionLost):
        return None
    if commits:
        return CommitOutcomeUnknown(str(error))
    return TransactionConflict(str(error)) if is_first and not isinstance(error, NoAnswerInTime) else None


def reason_of(error: BaseException) -> str:
    """Return why the server rejected the connection, as ` (it says: password …)`; empty if it gave no reason."""
    cause = error.__cause__
    while cause is not None:
        _, fatal, text = str(cause).partition("FATAL:")
        if fatal:
            return f" (it says: {' '.join(text.splitlines()[0].split())})"
        cause = cause.__cause__
    return ""


def raise_translated(error: BaseException) -> NoReturn:
    """Raise the domain's error for a driver error, or the driver error itself if it is unexpected."""
    known = translate(error)
    if known is None:
        raise error
    raise known from error


def require_utf8(connection: "psycopg.Connection[Any]") -> None:
    """Raise WrongEncoding unless the database and this session of it have the encoding UTF8; no round trip."""
    reported = connection.pgconn.parameter_status
    database, session = reported(b"server_encoding") or b"UTF8", reported(b"client_encoding") or b"UTF8"
    if database != b"UTF8":
        remedy = "create one with ENCODING 'UTF8' TEMPLATE template0, and name it in BOOKING_DATABASE_URL"
        raise WrongEncoding(f"the database has the encoding {database.decode()}", remedy)
    if session != b"UTF8":
        raise WrongEncoding(f"this session has client_encoding {session.decode()}", "connect with client_encoding=utf8")


@contextmanager
def translated() -> Iterator[None]:
    """Raise the domain's error for a driver error in the block; unexpected errors pass."""
    try:
        yield
    except StatementFailed as failure:
        raise_translated(failure.error)
    except DRIVER_ERRORS as error:
        raise_translated(error)
