"""Transactions on pooled connections: taking a connection, running batches on it, and returning it to the pool.

What every reservation executes in the driver is here and in `pipeline`; the set-up of a pool is in `pool`.
"""

import select
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from threading import Lock
from time import perf_counter
from typing import Any, Final, cast

import psycopg
from attrs import define, field
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Engine, QueuePool, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import PoolProxiedConnection

from booking_core.ports.upkeep import ConnectionUse
from booking_postgres.driver.connection import ConnectionWithDeadline, Timeouts
from booking_postgres.driver.errors import (
    DRIVER_ERRORS,
    PreparedStatementGone,
    error_of_lost_connection,
    raise_translated,
    translate,
    translated,
)
from booking_postgres.driver.pipeline import Row, Rows, Statement, StatementFailed, run
from booking_postgres.driver.troubles import ConnectionLost, DatabaseReadOnly

_SET_TIMEOUTS: Final = (
    "SELECT set_config('lock_timeout', %(lock)s, true), set_config('statement_timeout', %(statement)s, true),"
    " set_config('idle_in_transaction_session_timeout', %(idle)s, true)"
)
# The planner does not know how many rows a list names or how many holds are due, and a statement that was prepared
# while the tables were small keeps its plan. An estimate that is wrong reads whole tables, and the cost would grow with
# all that was ever stored. So those statements find every row by an index, and join by nested loops.
BY_KEYS: Final = Statement(
    "SELECT " + ", ".join(f"set_config('enable_{way}', 'off', true)" for way in ("seqscan", "hashjoin", "mergejoin")),
    {},
    "plan by keys",
)
# Taking a free connection costs a hundredth of it; what takes longer waited for a connection, or opened one.
WAIT_SECONDS: Final = 0.001
_TAKEN_AT: Final = "booking.taken_at"


@define(eq=False)
class Transaction(ABC):
    """One transaction and the writes that wait for its commit. Used by one thread.

    `pending` is written before the next statement, or with the commit, in order. `translators` raise what a failed
    statement means to a repository, or return; `before_commit` adds last writes.
    """

    pending: list[Statement] = field(factory=list, init=False)
    translators: list[Callable[[StatementFailed], None]] = field(factory=list, init=False)
    before_commit: list[Callable[[], None]] = field(factory=list, init=False)

    @property
    def reservation_timeouts(self) -> Sequence[str] | None:
        """Timeouts for a first statement that sets them itself; None in a transaction that the caller owns."""
        return None

    @abstractmethod
    def begin(self) -> None:
        """Begin the transaction. Raises ServiceBusy without a connection in time, or WrongIsolationLevel."""

    @abstractmethod
    def end(self) -> None:
        """Roll back what was not committed, and return the connection."""

    def run(self, statements: Sequence[Statement], *, commit: bool = False) -> list[Rows]:
        """Write what is pending, then run the statements and return the rows of each. Raises the domain's errors."""
        before, self.pending = self.pending, []
        try:
            return self._send([*before, *statements], commit)[len(before) :]
        except StatementFailed as failure:
            for raise_special in self.translators:
                raise_special(failure)
            known = translate(failure.error)
            if known is None:
                raise failure.error from failure
            raise known from failure.error

    def run_by_keys(self, *statements: Statement) -> list[Rows]:
        """Run statements that are to find every row by an index, whatever the statistics of the tables are.

        In a transaction that the caller owns they run as others do: the settings would change the caller's plans.
        """
        if self.reservation_timeouts is None:
            return self.run(statements)
        return self.run([BY_KEYS, *statements])[1:]

    def flush(self) -> None:
        """Add the last writes now, so that the next statement sees them."""
        for add_writes in self.before_commit:
            add_writes()

    def commit(self) -> None:
        """Write everything that is pending and commit, in one round trip."""
        self.flush()
        self.run([], commit=True)

    def run_after_rollback(self, statement: Statement) -> Rows:
        """Undo all writes after a failed statement, and run a query in what follows."""
        with translated():
            self._roll_back()
            [rows] = self._send([statement], False)
        return rows

    @abstractmethod
    def _send(self, statements: list[Statement], commit: bool) -> list[Rows]: ...

    @abstractmethod
    def _roll_back(self) -> None: ...


@define(eq=False)
class OwnTransaction(Transaction):
    """A transaction on a connection of the pool, with bounded waits; committed in its last round trip."""

    engine: Engine
    timeouts: Timeouts = field(factory=Timeouts)
    _connection: PoolProxiedConnection | None = field(default=None, init=False)
    _begun: bool = field(default=False, init=False)

    @property
    def reservation_timeouts(self) -> Sequence[str] | None:
        return [self.timeouts.reservation_lock, self.timeouts.statement, self.timeouts.idle]

    def begin(self) -> None:
        try:
            self._connection = self.engine.raw_connection()
        except DRIVER_ERRORS as error:
            raise_translated(error)

    def end(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except DRIVER_ERRORS as error:
                raise_translated(error)

    def _send(self, statements: list[Statement], commit: bool) -> list[Rows]:
        """Send the statements. Raises TransactionConflict if the connection was dead before anything was locked."""
        first, self._begun = not self._begun, True
        adds_timeouts = first and not any(statement.sets_timeouts for statement in statements[:1])
        if adds_timeouts:
            given = self.timeouts
            values = {"lock": given.lock, "statement": given.statement, "idle": given.idle}
            statements = [Statement(_SET_TIMEOUTS, values, "timeouts"), *statements]
        try:
            results = run(self._driver(), statements, commit=commit)
        except StatementFailed as failure:
            error = translate(failure.error)
            if isinstance(error, ConnectionLost | DatabaseReadOnly | PreparedStatementGone):
                self._give_up(error)
            if meaning := error_of_lost_connection(error, is_first=first, commits=commit):
                raise meaning from failure.error
            raise
        return results[1:] if adds_timeouts else results

    def _roll_back(self) -> None:
        self._driver().rollback()

    def _driver(self) -> "psycopg.Connection[Row]":
        assert self._connection is not None  # noqa: S101 - the unit of work was entered
        return cast("psycopg.Connection[Row]", self._connection.driver_connection)

    def _give_up(self, error: Exception) -> None:
        if isinstance(error, PreparedStatementGone):
            forbid_preparing(self._driver())
        elif self._connection is not None:
            self._connection.invalidate()


@define(eq=False)
class PoolCounters:
    """The counters of one pool, from creation on. Safe to use from many threads."""

    engine: Engine
    wait_seconds: float = WAIT_SECONDS
    _lock: Lock = field(factory=Lock, init=False)
    _used: float = field(default=0.0, init=False)
    _waited: float = field(default=0.0, init=False)
    _waits: int = field(default=0, init=False)
    _refused: int = field(default=0, init=False)
    _connect: Callable[[], PoolProxiedConnection] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._connect = self.engine.pool.connect
        # SQLAlchemy has no event for the moment in which a thread begins to wait for a connection.
        self.engine.pool.connect = self._take  # type: ignore[method-assign]
        event.listen(self.engine, "checkin", self._returned)

    def use(self) -> ConnectionUse:
        """The counters until now; a connection in use counts when it is returned."""
        pool = self.engine.pool
        with self._lock:
            return ConnectionUse(
                most=pool.size() if isinstance(pool, QueuePool) else 0,
                used_seconds=self._used,
                waits=self._waits,
                waited_seconds=self._waited,
                refused=self._refused,
            )

    def _take(self) -> PoolProxiedConnection:
        began = perf_counter()
        try:
            taken = self._connect()
        except BaseException:
            self._add_wait(perf_counter() - began, refused=1)
            raise
        now = perf_counter()
        if now - began > self.wait_seconds:
            self._add_wait(now - began)
        # In the pool's record of the connection, which outlives a connection that is thrown away meanwhile.
        taken.record_info[_TAKEN_AT] = now  # type: ignore[index]
        return taken

    def _add_wait(self, seconds: float, refused: int = 0) -> None:
        with self._lock:
            self._waits += 1
            self._waited += seconds
            self._refused += refused

    def _returned(self, connection: object, record: Any) -> None:
        taken_at = record.record_info.pop(_TAKEN_AT, None)
        if taken_at is not None:
            seconds = perf_counter() - taken_at
            with self._lock:
                self._used += seconds


def roll_back_if_open(connection: Any, record: object, state: object) -> None:
    """Roll back what is open when a connection is returned; a check costs less than psycopg's rollback of nothing."""
    if connection.pgconn.transaction_status != TransactionStatus.IDLE:
        connection.rollback()


def refuse_dead_connection(connection: Any, record: object, proxy: object) -> None:
    """Reject an idle connection that the server has closed: it has data to read. Unlike a ping, no round trip."""
    if connection.closed:
        raise DisconnectionError()
    poll = select.poll()
    poll.register(connection.pgconn.socket, select.POLLIN | select.POLLHUP | select.POLLERR)
    if poll.poll(0):
        raise DisconnectionError()


def forbid_preparing(connection: "psycopg.Connection[Any]") -> None:
    """Stop preparing on this connection: the server, or a proxy before it, does not keep prepared statements."""
    if isinstance(connection, ConnectionWithDeadline):
        connection.prepared = None


def driver_of(connection: Connection) -> "psycopg.Connection[Row]":
    """Return the psycopg connection under SQLAlchemy's."""
    driver: DBAPIConnection | None = connection.connection.driver_connection
    return cast("psycopg.Connection[Row]", driver)
