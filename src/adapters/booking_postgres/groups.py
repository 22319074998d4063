"""Groups of reservations on an event loop: transactions on a connection of their own (ADR 0032)."""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self
from uuid import UUID

from attrs import define, field
from psycopg.pq import TransactionStatus
from sqlalchemy import Engine
from sqlalchemy.pool import PoolProxiedConnection

from booking_core.domain.errors import IdempotencyKeyReused, TransactionConflict
from booking_core.domain.reservation import SeatRequest
from booking_core.ports import Deferral, MemberFacts, NewBooking, Reads, RunInThread, StoredResponse
from booking_postgres.driver.connection import Timeouts
from booking_postgres.driver.errors import (
    DRIVER_ERRORS,
    PreparedStatementGone,
    error_of_lost_connection,
    raise_translated,
    translate,
)
from booking_postgres.driver.event_loop import EventLoopConnection
from booking_postgres.driver.pipeline import Rows, Statement, StatementFailed
from booking_postgres.driver.transaction import forbid_preparing
from booking_postgres.driver.troubles import DatabaseReadOnly
from booking_postgres.writes import group

_ROLLBACK: Final = Statement("ROLLBACK", {}, "rollback", plans=False)


@define(eq=False)
class PostgresGroups:
    """See `booking_core.ports.GroupStore`."""

    engine: Engine
    timeouts: Timeouts
    idempotency_hours: float
    reads: Reads
    run_in_thread: RunInThread
    retries: int
    kept: int
    _kept: list[EventLoopConnection] = field(factory=list, init=False)

    def transaction(self) -> "PostgresGroupTransaction":
        return PostgresGroupTransaction(self)

    async def is_stored(self, booking_id: UUID) -> bool:
        is_stored: bool = await self.run_in_thread(lambda: self.reads.booking(booking_id) is not None)
        return is_stored

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def close(self) -> None:
        while self._kept:
            self._kept.pop().release()

    async def take(self) -> EventLoopConnection:
        """Take a kept connection, or another one from the pool. Raises ServiceBusy."""
        while self._kept:
            connection = self._kept.pop()
            if not connection.is_lost:
                return connection
            connection.release()
        pooled: PoolProxiedConnection = await self.run_in_thread(self._connect)
        return EventLoopConnection(pooled, asyncio.get_running_loop())

    def give_back(self, connection: EventLoopConnection) -> None:
        """Keep the connection for another transaction, or return it to the pool if there are enough."""
        if len(self._kept) < self.kept and connection.is_usable:
            self._kept.append(connection)
        else:
            connection.release()

    def _connect(self) -> PoolProxiedConnection:
        try:
            return self.engine.raw_connection()
        except DRIVER_ERRORS as error:
            raise_translated(error)


@define(eq=False)
class PostgresGroupTransaction:
    """See `booking_core.ports.GroupTransaction`. Two round trips; one more to end it without a commit."""

    groups: PostgresGroups
    _connection: EventLoopConnection | None = field(default=None, init=False)
    _begun: bool = field(default=False, init=False)

    async def __aenter__(self) -> Self:
        self._connection = await self.groups.take()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        connection, self._connection = self._connection, None
        assert connection is not None  # noqa: S101 - the transaction was entered
        try:
            # Cancelled within a round trip, it is not usable, and is closed.
            if connection.is_usable and connection.driver.pgconn.transaction_status != TransactionStatus.IDLE:
                await connection.run([_ROLLBACK], begin=False)
        except StatementFailed:
            connection.is_lost = True  # what remains of its transaction ends with the connection
        finally:
            self.groups.give_back(connection)

    async def lock_group(
        self, requests: Sequence[SeatRequest]
    ) -> Sequence[MemberFacts | StoredResponse | IdempotencyKeyReused | Deferral]:
        timeouts = self.groups.timeouts
        load = group.lock_and_load_group(requests, [timeouts.reservation_lock, timeouts.statement, timeouts.idle])
        [[row]] = await self._run(load)
        return group.loaded_group(requests, row, self.groups.idempotency_hours)

    async def add_group(self, bookings: Sequence[NewBooking]) -> None:
        await self._run(group.insert_group(bookings, self.groups.idempotency_hours), commits=True)

    async def _run(self, statement: Statement, *, commits: bool = False) -> list[Rows]:
        """Run one statement. Raises the domain's errors."""
        assert self._connection is not None  # noqa: S101 - the transaction was entered
        is_first, self._begun = not self._begun, True
        if self._connection.is_lost:
            raise TransactionConflict()  # lost after the round trip before this one: no COMMIT was sent
        try:
            return await self._connection.run([statement], commit=commits)
        except StatementFailed as failure:
            group.translate_write(failure)
            known = translate(failure.error)
            if isinstance(known, PreparedStatementGone):
                forbid_preparing(self._connection.driver)
            if isinstance(known, DatabaseReadOnly):
                self._connection.is_lost = True  # another one may reach a database that takes writes
            meaning = error_of_lost_connection(known, is_first=is_first, commits=commits) or known
            if meaning is None:
                raise failure.error from failure
            raise meaning from failure.error
