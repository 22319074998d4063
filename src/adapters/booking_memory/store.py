"""The store in memory: the promises of a database, for as long as the process lives."""

from collections.abc import Callable, Iterable, MutableMapping, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from booking_core.ports import Finding, Grade, Health, Pruned, Workload
from booking_memory.bookings import MemoryBookings, MemoryInbox
from booking_memory.customers import MemoryCustomers
from booking_memory.events import MemoryEvents
from booking_memory.locks import DEFAULT_LOCK_WAIT, HeldLocks, seat_lock
from booking_memory.operators import MemoryOperatorReads
from booking_memory.outbox import MemoryOutbox
from booking_memory.reads import MemoryReads
from booking_memory.stored_responses import MemoryStoredResponses
from booking_memory.transaction import Database, Transaction, utc_now


class MemoryUnitOfWork:
    """`UnitOfWork` over a database. Its locks are released when it ends."""

    responses: MemoryStoredResponses
    inbox: MemoryInbox
    bookings: MemoryBookings
    customers: MemoryCustomers
    events: MemoryEvents

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> Self:
        self._transaction = Transaction(self._database)
        self.responses = MemoryStoredResponses(self._transaction)
        self.inbox = MemoryInbox(self._transaction)
        self.bookings = MemoryBookings(self._transaction, self.responses)
        self.customers = MemoryCustomers(self._transaction, self.bookings)
        self.events = MemoryEvents(self._transaction)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._transaction.locks.release_all()

    def commit(self) -> None:
        self._transaction.locks.refuse_if_ended()
        try:
            self._transaction.commit()
        finally:
            self._transaction.locks.release_all()


class MemoryUpkeep:
    """`Upkeep` over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def migrate(self) -> Sequence[str]:
        """Returns no step: there is no schema."""
        return ()

    def prune(self, *, idempotency_hours: float, retention_days: float, limit: int) -> Pruned:
        with self._database.mutex:
            tables, now = self._database.tables, self._database.clock()
            before = now - timedelta(days=retention_days)
            stored = ((key, row.stored_at) for key, row in tables.responses.items())
            responses = [key for key, at in stored if at < now - timedelta(hours=idempotency_hours)]
            messages = [key for key, row in tables.inbox.items() if row.received_at < before and not row.retained]
            published = ((key, row.published_at) for key, row in tables.outbox.items())
            events = [key for key, at in published if at is not None and at < before]
            rows = _remove(tables.responses, responses[:limit]) + _remove(tables.inbox, messages[:limit])
            return Pruned(rows=rows, events=_remove(tables.outbox, events[:limit]))

    def health(self) -> Health:
        return Health()

    def connection_use(self) -> None:
        """None: there is no connection pool."""


def _remove(table: MutableMapping[Any, Any], keys: list[Any]) -> int:
    for key in keys:
        del table[key]
    return len(keys)


class MemoryStore:
    """`Store` in memory, for tests, trials and small services: every look-up scans its table.

    Isolation is READ COMMITTED with row locks. `clock` is the database's clock; `lock_wait` is the longest wait for one
    lock in seconds, before ServiceBusy. A response stored under an idempotency key is valid for `idempotency_hours`.
    """

    retries = 3

    def __init__(
        self,
        clock: Callable[[], datetime] = utc_now,
        *,
        lock_wait: float = DEFAULT_LOCK_WAIT,
        idempotency_hours: float = 24.0,
    ) -> None:
        self._database = Database(clock=clock, lock_wait=lock_wait, responses_last=timedelta(hours=idempotency_hours))
        self.reads = MemoryReads(self._database)
        self.operators = MemoryOperatorReads(self._database)
        self.outbox = MemoryOutbox(self._database)
        self.upkeep = MemoryUpkeep(self._database)

    def unit_of_work(self) -> MemoryUnitOfWork:
        return MemoryUnitOfWork(self._database)

    def await_reservations_in_flight(self, event_id: UUID) -> None:
        locks = HeldLocks(self._database.locks, self._database.lock_wait)
        with self._database.mutex:
            seat_ids = [row.seat.seat_id for row in self._database.tables.seats_of_event(event_id)]
        for seat_id in seat_ids:
            locks.wait_until_free(seat_lock(event_id, seat_id))

    def diagnose(self, workload: Workload) -> Iterable[Finding]:
        """See `booking_core.ports.Diagnosis`."""
        yield Finding(
            check="database",
            grade=Grade.WARNING,
            found="in the memory of this process: all is forgotten when it ends",
            advice="use a database, unless it is a trial",
        )

    def close(self) -> None:
        """Do nothing: the rows live as long as the store object."""
