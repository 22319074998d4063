"""The store over PostgreSQL: on a connection pool of its own, or on one connection that the caller owns."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from attrs import define, field
from sqlalchemy import Connection, Engine

from booking_core.ports import Finding, Outbox, Reads, Upkeep, Workload
from booking_postgres.driver.pool_metrics import PoolWatch
from booking_postgres.driver.transaction import CallersTransaction, OwnTransaction, Transaction
from booking_postgres.outbox import PostgresOutbox
from booking_postgres.reads.connection import Reader
from booking_postgres.reads.postgres_reads import PostgresReads
from booking_postgres.reads.seat_maps import SeatMaps
from booking_postgres.upkeep import PostgresUpkeep
from booking_postgres.writes.in_flight import await_reservations_in_flight
from booking_postgres.writes.session import Session
from booking_postgres.writes.unit_of_work import PostgresUnitOfWork

_DEFAULT_HOURS: Final = 24.0


@define(eq=False)
class _BaseStore:
    """The part of `booking_core.ports.Store` that is the same for both stores."""

    idempotency_hours: float
    retries: int = field(init=False)
    reads: Reads = field(init=False)
    outbox: Outbox = field(init=False)
    upkeep: Upkeep = field(init=False)

    def unit_of_work(self) -> PostgresUnitOfWork:
        return PostgresUnitOfWork(Session(self._new_transaction(), self.idempotency_hours))

    def await_reservations_in_flight(self, event_id: UUID) -> None:
        await_reservations_in_flight(event_id, self.unit_of_work)

    def _new_transaction(self) -> Transaction:
        raise NotImplementedError

    def _read_with(self, reader: Reader) -> None:
        self.reads, self.outbox = PostgresReads(reader, SeatMaps(reader)), PostgresOutbox(reader)


class PostgresStore(_BaseStore):
    """See `booking_core.ports.Store`. Opens no more connections than its engine's pool holds."""

    def __init__(self, engine: Engine, idempotency_hours: float = _DEFAULT_HOURS) -> None:
        super().__init__(idempotency_hours)
        self.engine, self.retries = engine, 3
        reader = Reader(engine=engine)
        self._read_with(reader)
        self.upkeep = PostgresUpkeep(reader, engine, PoolWatch(engine))

    def on(self, connection: Connection) -> "JoinedStore":
        """Return the same store inside the caller's transaction, which it never commits, rolls back or closes.

        A use case on it raises WrongIsolationLevel unless the connection is at READ COMMITTED. A refusal leaves the
        caller's transaction usable, with none of our writes in it. The caller retries after TransactionConflict.
        """
        return JoinedStore(connection, self.idempotency_hours)

    def diagnose(self, workload: Workload) -> Iterable[Finding]:
        """See `booking_core.ports.Diagnosis`."""
        from booking_postgres.diagnosis import diagnose

        return diagnose(self.engine, workload)

    def close(self) -> None:
        self.engine.dispose()

    def _new_transaction(self) -> Transaction:
        return OwnTransaction(self.engine)


class JoinedStore(_BaseStore):
    """A store in a transaction that the caller owns, on the caller's connection. Used by one thread at a time."""

    def __init__(self, connection: Connection, idempotency_hours: float = _DEFAULT_HOURS) -> None:
        super().__init__(idempotency_hours)
        self.connection, self.retries = connection, 0
        reader = Reader(connection=connection)
        self._read_with(reader)
        self.upkeep = PostgresUpkeep(reader)

    def close(self) -> None:
        """Does nothing: the connection is the caller's."""

    def _new_transaction(self) -> Transaction:
        return CallersTransaction(self.connection)
