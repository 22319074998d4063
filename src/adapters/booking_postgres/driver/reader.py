"""Connections for reading: no transaction and no locks, on the pool or on the caller's connection."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import psycopg
from attrs import field, frozen
from psycopg.rows import tuple_row
from sqlalchemy import Connection, Engine

from booking_postgres.driver.connection import Timeouts, answers_within
from booking_postgres.driver.errors import (
    NoAnswerInTime,
    PreparedStatementGone,
    require_utf8,
    translate,
    translated,
)
from booking_postgres.driver.pipeline import Row, Rows, Statement, StatementFailed, in_utc, run
from booking_postgres.driver.transaction import BY_KEYS, driver_of, forbid_preparing
from booking_postgres.driver.troubles import ConnectionLost


def rows_on(connection: Connection, statement: Statement) -> Rows:
    """Run one read by itself, whatever DateStyle the session has: the results are binary."""
    with psycopg.Cursor(driver_of(connection), row_factory=tuple_row) as cursor:
        return in_utc(cursor.execute(statement.sql, statement.values, binary=True).fetchall())


@frozen(eq=False)
class Reader:
    """A source of connections for reads: of the pool, or the caller's own."""

    engine: Engine | None = None
    connection: Connection | None = None
    timeouts: Timeouts = field(factory=Timeouts)
    set_timeouts: Statement = field(init=False)
    """Sent with each read, in the same transaction on the server: behind a proxy the session may change after it.

    Frequent reads find their rows by an index: a plan that was prepared while the tables were empty is kept when they
    grow. Where no index serves, the estimated cost is so high that only JIT compilation would follow from it.
    """

    @set_timeouts.default
    def _set_timeouts(self) -> Statement:
        lock, statement = self.timeouts.read_lock, self.timeouts.read_statement
        sql = f"{BY_KEYS.sql}, set_config('lock_timeout', '{lock}', true), set_config('jit', 'off', true)"
        return Statement(f"{sql}, set_config('statement_timeout', '{statement}', true)", {}, "timeouts")

    @contextmanager
    def open(self, *, answer_seconds: float | None = None) -> Iterator[Connection]:
        """Open a connection for a few statements that commit by themselves; translates driver errors.

        `answer_seconds` replaces the pool's deadline of each answer.
        """
        with translated():
            if self.connection is not None:
                require_utf8(driver_of(self.connection))
                yield self.connection
            elif self.engine is not None:
                with self.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
                    if answer_seconds is None:
                        yield connection
                        return
                    with answers_within(driver_of(connection), answer_seconds):
                        yield connection

    def rows(self, statement: Statement) -> Rows:
        """Run one frequent read: prepared, in one round trip, and with every row found by an index where one serves.

        Raises ServiceBusy after the timeouts of reads. On the caller's connection, the caller sets timeouts and plans.
        """
        if self.engine is None:
            with self.open() as connection:
                return rows_on(connection, statement)
        try:
            return self._rows_of_pool(self.engine, statement)
        except NoAnswerInTime:
            raise
        except (ConnectionLost, PreparedStatementGone):
            # A read may be repeated, and the next connection may be sound.
            return self._rows_of_pool(self.engine, statement)

    def _rows_of_pool(self, engine: Engine, statement: Statement) -> Rows:
        with translated():
            connection = engine.raw_connection()
            driver = cast("psycopg.Connection[Row]", connection.driver_connection)
            try:
                return run(driver, [self.set_timeouts, statement], begin=False)[-1]
            except StatementFailed as failure:
                error = translate(failure.error)
                if isinstance(error, ConnectionLost):
                    connection.invalidate()
                elif isinstance(error, PreparedStatementGone):
                    forbid_preparing(driver)
                raise
            finally:
                connection.close()
