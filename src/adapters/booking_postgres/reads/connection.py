"""A connection to read on: no transaction, no locks; the caller's own where the store was given one."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Final, cast

import psycopg
from attrs import frozen
from sqlalchemy import Connection, Engine

from booking_postgres.driver.deadlines import waiting_for
from booking_postgres.driver.errors import ConnectionLost, NoAnswerInTime, PreparedStatementGone, translate, translated
from booking_postgres.driver.pipeline import Row, Rows, Statement, StatementFailed, in_utc, run
from booking_postgres.driver.prepared import forbid_on
from booking_postgres.driver.transaction import driver_of

# A read locks no rows, so all that it can wait for is who changes or rewrites a table; and while it waits it has a
# connection, of which there are few: whoever looks is better told to come again. The longest read that is sound, the
# seats of a whole event, takes tenths of a second.
#
# Set anew for each read, in its round trip and in the transaction that the server makes of it: the session may be
# another's a moment later (`engine`), and lock timeouts count for the server's planning too.
_BOUNDS: Final = Statement(
    "SELECT set_config('lock_timeout', '1s', true), set_config('statement_timeout', '2s', true)", {}, "bounds"
)


@frozen(eq=False)
class Reader:
    """Opens connections for reads: of the pool, or the caller's own."""

    engine: Engine | None = None
    connection: Connection | None = None

    @contextmanager
    def open(self, *, patience: float | None = None) -> Iterator[Connection]:
        """A connection for a few statements that commit by themselves. Driver errors become the domain's.

        `patience`: how many seconds each may take, where the pool's usual ones are not right.
        """
        with translated():
            if self.connection is not None:
                yield self.connection
            elif self.engine is not None:
                with self.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
                    driver = driver_of(connection)
                    with nullcontext() if patience is None else waiting_for(driver, patience):
                        yield connection

    def rows(self, statement: Statement) -> Rows:
        """The rows of one statement that is read often: prepared, and in one round trip.

        Raises ServiceBusy after 1 s of waiting for a lock on a table, or 2 s in all; on a caller's own connection
        that is the caller's to bound.
        """
        if self.engine is None:
            with self.open() as connection:
                cursor = driver_of(connection).execute(statement.sql, statement.values)
                return in_utc(cursor.fetchall())
        try:
            return self._rows_of_pool(self.engine, statement)
        except NoAnswerInTime:
            raise
        except (ConnectionLost, PreparedStatementGone):
            # Reading twice is reading once; what was wrong with that connection is not wrong with the next.
            return self._rows_of_pool(self.engine, statement)

    def _rows_of_pool(self, engine: Engine, statement: Statement) -> Rows:
        with translated():
            connection = engine.raw_connection()
            driver = cast("psycopg.Connection[Row]", connection.driver_connection)
            try:
                _, rows = run(driver, [_BOUNDS, statement], begin=False)
                return rows
            except StatementFailed as failure:
                if isinstance(translate(failure.error), ConnectionLost):
                    connection.invalidate()
                elif isinstance(translate(failure.error), PreparedStatementGone):
                    forbid_on(driver)
                raise
            finally:
                connection.close()
