"""The store over PostgreSQL: on a connection pool of its own, or on one connection that the caller owns."""

from collections.abc import Iterable
from types import TracebackType
from typing import Final, Self
from uuid import UUID

from attrs import define, field
from sqlalchemy import Connection, Engine

from booking_core.messages.trace_context import TRACEPARENT
from booking_core.ports import (
    CustomerRepository,
    EventRepository,
    Finding,
    Health,
    Inbox,
    OperatorReads,
    Outbox,
    Reads,
    RunInThread,
    Upkeep,
    Workload,
)
from booking_postgres.driver.connection import Timeouts
from booking_postgres.driver.joined_transaction import JoinedTransaction
from booking_postgres.driver.pipeline import Statement
from booking_postgres.driver.reader import Reader
from booking_postgres.driver.transaction import WAIT_SECONDS, OwnTransaction, PoolCounters, Transaction
from booking_postgres.groups import PostgresGroups
from booking_postgres.outbox import PostgresOutbox
from booking_postgres.reads.operators import PostgresOperatorReads
from booking_postgres.reads.queries import PostgresReads
from booking_postgres.reads.seat_maps import SeatMaps
from booking_postgres.upkeep import PostgresUpkeep
from booking_postgres.write_check import check_writes
from booking_postgres.writes.bookings import PostgresBookings, PostgresInbox
from booking_postgres.writes.customers import PostgresCustomers
from booking_postgres.writes.events import PostgresEvents, await_reservations_in_flight
from booking_postgres.writes.stored_responses import PostgresStoredResponses

_DEFAULT_HOURS: Final = 24.0
# The outbox reads it from there for the events that this transaction stores (migration 0003).
_SET_TRACE: Final = "SELECT set_config('booking.traceparent', %(trace)s, true)"


@define(eq=False)
class PostgresUnitOfWork:
    """See `booking_core.ports.UnitOfWork`. Reads under locks at once; writes together with the commit."""

    transaction: Transaction
    idempotency_hours: float
    responses: PostgresStoredResponses = field(init=False)
    bookings: PostgresBookings = field(init=False)
    _events: PostgresEvents | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self.responses = PostgresStoredResponses(self.transaction, self.idempotency_hours)
        self.transaction.translators.append(self.responses.translate)
        self.bookings = PostgresBookings(self.transaction, self.responses)

    @property
    def events(self) -> EventRepository:
        if self._events is None:
            self._events = PostgresEvents(self.transaction)
        return self._events

    @property
    def customers(self) -> CustomerRepository:
        return PostgresCustomers(self.transaction, self.bookings)

    @property
    def inbox(self) -> Inbox:
        return PostgresInbox(self.transaction)

    def __enter__(self) -> Self:
        self.transaction.begin()
        trace = TRACEPARENT.get()
        if trace is not None:
            self.transaction.pending.append(Statement(_SET_TRACE, {"trace": trace}, "trace"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.transaction.end()

    def commit(self) -> None:
        self.transaction.commit()


@define(eq=False)
class PostgresStore:
    """See `booking_core.ports.Store`. Opens no more connections than the pool of its engine holds.

    `wait_seconds`: a request for a connection that takes longer counts as a wait.
    """

    engine: Engine
    idempotency_hours: float = _DEFAULT_HOURS
    timeouts: Timeouts = field(factory=Timeouts, kw_only=True)
    wait_seconds: float = field(default=WAIT_SECONDS, kw_only=True)
    retries: int = field(default=3, init=False)
    reads: Reads = field(init=False)
    operators: OperatorReads = field(init=False)
    outbox: Outbox = field(init=False)
    upkeep: Upkeep = field(init=False)

    def __attrs_post_init__(self) -> None:
        reader = Reader(engine=self.engine, timeouts=self.timeouts)
        self.reads, self.operators = PostgresReads(reader, SeatMaps(reader)), PostgresOperatorReads(reader)
        self.outbox = PostgresOutbox(reader)
        self.upkeep = PostgresUpkeep(reader, self.engine, PoolCounters(self.engine, self.wait_seconds))

    def unit_of_work(self) -> PostgresUnitOfWork:
        return PostgresUnitOfWork(OwnTransaction(self.engine, self.timeouts), self.idempotency_hours)

    def groups_on_event_loop(self, run_in_thread: RunInThread, *, kept: int = 1) -> PostgresGroups:
        """See `booking_core.ports.EventLoopStore`."""
        return PostgresGroups(
            engine=self.engine,
            timeouts=self.timeouts,
            idempotency_hours=self.idempotency_hours,
            reads=self.reads,
            run_in_thread=run_in_thread,
            retries=self.retries,
            kept=kept,
        )

    def await_reservations_in_flight(self, event_id: UUID) -> None:
        await_reservations_in_flight(event_id, lambda: OwnTransaction(self.engine, self.timeouts))

    def on(self, connection: Connection) -> "JoinedStore":
        """Return the same store inside the caller's transaction, which it never commits, rolls back or closes.

        A use case on it raises WrongIsolationLevel unless the connection is at READ COMMITTED. A refusal leaves the
        caller's transaction usable, with none of our writes in it. The caller retries after TransactionConflict.
        """
        return JoinedStore(connection, self.idempotency_hours)

    def diagnose(self, workload: Workload) -> Iterable[Finding]:
        """See `booking_core.ports.Diagnosis`."""
        from booking_postgres.diagnosis import diagnose

        return diagnose(self.engine, workload, self.check_writes)

    def check_writes(self) -> Health:
        """See `booking_core.ports.WriteCheck`."""
        return check_writes(self.engine, self.timeouts)

    def close(self) -> None:
        self.engine.dispose()


@define(eq=False)
class JoinedStore:
    """A store in a transaction that the caller owns, on the caller's connection. Used by one thread at a time."""

    connection: Connection
    idempotency_hours: float = _DEFAULT_HOURS
    retries: int = field(default=0, init=False)
    reads: Reads = field(init=False)
    operators: OperatorReads = field(init=False)
    outbox: Outbox = field(init=False)
    upkeep: Upkeep = field(init=False)

    def __attrs_post_init__(self) -> None:
        reader = Reader(connection=self.connection)
        self.reads, self.operators = PostgresReads(reader, SeatMaps(reader)), PostgresOperatorReads(reader)
        self.outbox = PostgresOutbox(reader)
        self.upkeep = PostgresUpkeep(reader)

    def unit_of_work(self) -> PostgresUnitOfWork:
        return PostgresUnitOfWork(JoinedTransaction(self.connection), self.idempotency_hours)

    def await_reservations_in_flight(self, event_id: UUID) -> None:
        await_reservations_in_flight(event_id, lambda: JoinedTransaction(self.connection))

    def close(self) -> None:
        """Do nothing: the connection is the caller's."""
