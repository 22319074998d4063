"""One transaction on one connection, ours or the caller's, and the batches that run in it."""

from collections.abc import Sequence
from typing import Final, cast

import psycopg
from attrs import define, field
from sqlalchemy import Connection, Engine
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import PoolProxiedConnection

from booking_core.domain.errors import CommitOutcomeUnknown, TransactionConflict, WrongIsolationLevel
from booking_postgres.driver.errors import ConnectionLost, NoAnswerInTime, PreparedStatementGone, translate, translated
from booking_postgres.driver.pipeline import Row, Rows, Statement, StatementFailed, run
from booking_postgres.driver.prepared import forbid_on

_READ_COMMITTED: Final = "read committed"

# Bounds, never rules: nothing that is right rests on them (Citus' workers ignore them, for one). Lock wait, statement,
# and a transaction whose process was stopped while it held seats: then the server ends it.
_BOUNDS: Final = ("1000ms", "10s", "10s")
# Whoever wants a seat while thousands do is better told to come again than kept waiting on a connection.
_BOUNDS_OF_RESERVING: Final = ("250ms", "10s", "10s")
_SET_BOUNDS: Final = Statement(
    "SELECT set_config('lock_timeout', %(lock)s, true), set_config('statement_timeout', %(statement)s, true),"
    " set_config('idle_in_transaction_session_timeout', %(idle)s, true)",
    dict(zip(("lock", "statement", "idle"), _BOUNDS, strict=True)),
    "bounds",
)


@define(eq=False)
class OwnTransaction:
    """A transaction on a connection from the pool: bounded waits, and committed in its last round trip."""

    engine: Engine
    _connection: PoolProxiedConnection | None = field(default=None, init=False)
    _begun: bool = field(default=False, init=False)

    @property
    def bounds(self) -> Sequence[str] | None:
        """For a reservation, whose first statement sets the bounds by itself."""
        return list(_BOUNDS_OF_RESERVING)

    def begin(self) -> None:
        """Take a connection. Raises ServiceBusy if there is none in time."""
        with translated():
            self._connection = self.engine.raw_connection()

    def run(self, statements: Sequence[Statement], *, commit: bool = False) -> list[Rows]:
        """The rows of each statement; with `commit` the transaction ends in the same round trip.

        A connection that turns out dead before anything was locked or written is TransactionConflict: run again.
        A server that does not answer at all is given up once (`patience`): ServiceBusy, or CommitOutcomeUnknown.
        """
        first, self._begun = not self._begun, True
        bounding = first and not any(statement.sets_bounds for statement in statements[:1])
        batch = [_SET_BOUNDS, *statements] if bounding else list(statements)
        try:
            results = run(self._driver(), batch, commit=commit)
        except StatementFailed as failure:
            error = translate(failure.error)
            if isinstance(error, ConnectionLost | PreparedStatementGone):
                self._give_up(error)
            if isinstance(error, ConnectionLost) and commit:
                raise CommitOutcomeUnknown() from failure.error
            if isinstance(error, ConnectionLost) and first and not isinstance(error, NoAnswerInTime):
                raise TransactionConflict() from failure.error
            raise
        return results[1:] if bounding else results

    def undo(self) -> None:
        """Take back everything after a failed statement, and go on in a new transaction."""
        with translated():
            self._driver().rollback()

    def end(self) -> None:
        """Roll back what was not committed and give the connection back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with translated():
                connection.close()

    def _driver(self) -> "psycopg.Connection[Row]":
        assert self._connection is not None  # noqa: S101 - the unit of work was entered
        return cast("psycopg.Connection[Row]", self._connection.driver_connection)

    def _give_up(self, error: Exception) -> None:
        if isinstance(error, PreparedStatementGone):
            forbid_on(self._driver())
        elif self._connection is not None:
            self._connection.invalidate()


@define(eq=False)
class CallersTransaction:
    """A savepoint in the caller's transaction, on a connection that stays the caller's.

    Leaving without commit takes back our writes alone, and the transaction stays usable after a refusal.
    """

    connection: Connection
    _open: bool = field(default=False, init=False)

    @property
    def bounds(self) -> Sequence[str] | None:
        """None: how long the caller's transaction waits is the caller's."""
        return None

    def begin(self) -> None:
        """Open the savepoint. Raises WrongIsolationLevel unless the connection is at READ COMMITTED."""
        with translated():
            driver = driver_of(self.connection)
            if driver.autocommit:
                raise WrongIsolationLevel("The unit of work needs a transaction, and this connection commits by itself")
            if not self.connection.in_transaction():
                self.connection.begin()
            # By the driver itself, which begins the transaction as the caller has set it up.
            row = driver.execute("SHOW transaction_isolation").fetchone()
            level = row[0] if row else None
            if level != _READ_COMMITTED:
                raise WrongIsolationLevel(f"The unit of work needs READ COMMITTED, and this connection is at {level}")
            run(driver, [Statement(_SAVEPOINT, {})])
        self._open = True

    def run(self, statements: Sequence[Statement], *, commit: bool = False) -> list[Rows]:
        """The rows of each statement; `commit` releases the savepoint, and the rest is the caller's."""
        batch = [*statements, Statement(_RELEASE, {}, "release")] if commit else list(statements)
        results = run(driver_of(self.connection), batch)
        if commit:
            self._open = False
            return results[:-1]
        return results

    def undo(self) -> None:
        """Take back our writes after a failed statement; the savepoint stays open."""
        with translated():
            driver_of(self.connection).execute(_ROLL_BACK)

    def end(self) -> None:
        """Take our writes back unless they were committed."""
        if self._open:
            self._open = False
            with translated():
                driver = driver_of(self.connection)
                driver.execute(_ROLL_BACK)
                driver.execute(_RELEASE)


_SAVEPOINT: Final = "SAVEPOINT booking_core"
_RELEASE: Final = "RELEASE SAVEPOINT booking_core"
_ROLL_BACK: Final = "ROLLBACK TO SAVEPOINT booking_core"

Transaction = OwnTransaction | CallersTransaction


def driver_of(connection: Connection) -> "psycopg.Connection[Row]":
    """The psycopg connection under SQLAlchemy's."""
    driver: DBAPIConnection | None = connection.connection.driver_connection
    return cast("psycopg.Connection[Row]", driver)
