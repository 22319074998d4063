"""One transaction: its writes, its locks, and its commit."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import RLock
from uuid import UUID

from attrs import field, frozen

from booking_core.domain.booking import Booking
from booking_core.domain.errors import SeatAlreadyReserved, TransactionConflict
from booking_core.domain.events import DomainEvent
from booking_core.messages.trace_context import TRACEPARENT
from booking_memory.locks import DEFAULT_LOCK_WAIT, HeldLocks, Locks, booking_lock
from booking_memory.tables import OutboxRow, Tables, copy_of, layer_of, outbox_record


def utc_now() -> datetime:
    """Read the computer's clock."""
    return datetime.now(UTC)


@frozen(kw_only=True, eq=False)
class Database:
    """The state that all units of work share. `mutex` is held for every access to tables, and never during a wait."""

    clock: Callable[[], datetime] = utc_now
    lock_wait: float = DEFAULT_LOCK_WAIT
    responses_last: timedelta = timedelta(hours=24)
    tables: Tables = field(factory=Tables, init=False)
    locks: Locks = field(factory=Locks, init=False)
    mutex: RLock = field(factory=RLock, init=False)


class Transaction:
    """The writes and locks of one unit of work. Used by one thread.

    Its writes are invisible to others until `commit`. A transaction that changes a row holds the lock of that row until
    it ends, so two layers never change the same row; bookings are compared by revision as well.
    """

    def __init__(self, database: Database) -> None:
        self.tables = database.tables.layered()
        self.locks = HeldLocks(database.locks, database.lock_wait)
        self.responses_last = database.responses_last
        self._database = database
        self._given: dict[UUID, Booking] = {}
        self._expected: dict[UUID, int] = {}
        self._is_stale = False
        self._traceparent = TRACEPARENT.get()

    @contextmanager
    def reading(self) -> Iterator[datetime]:
        """Run one statement: no transaction commits meanwhile. Yields the clock, read now."""
        self.locks.refuse_if_ended()
        with self._database.mutex:
            yield self._database.clock()

    def write(self, booking: Booking, traceparent: str | None = None) -> None:
        """Write the booking, its new events and history, and the claims that follow from its status.

        Without a `traceparent`, the events belong to the trace of the transaction.
        """
        with self.reading():
            self._expect(booking)
            self.tables.bookings[booking.booking_id] = copy_of(booking)
            for entry in booking.new_history:
                self.tables.history[booking.booking_id, entry.number] = entry
            for event in booking.new_events:
                self.write_event(event, traceparent)
            self._claim_or_release(booking)

    def write_event(self, event: DomainEvent, traceparent: str | None = None) -> None:
        """Write the event to the outbox."""
        record = outbox_record(event, traceparent or self._traceparent)
        self.tables.outbox[record.key, record.sequence] = OutboxRow(record=record)

    def commit(self) -> None:
        """Make all writes visible at once, or none. Raises the errors of `UnitOfWork.commit`."""
        for booking_id in sorted(self._expected):
            self.locks.take(booking_lock(booking_id))
        with self._database.mutex:
            self._refuse_stale_bookings()
            self._refuse_double_claims()
            self.tables.settle()

    def _expect(self, booking: Booking) -> None:
        # The same object, saved again, contains all changes since it was loaded; another object must have been loaded
        # after the first was saved.
        booking_id = booking.booking_id
        if booking_id not in self._given:
            self._expected[booking_id] = booking.loaded_revision
        elif self._given[booking_id] is not booking:
            self._is_stale |= booking.loaded_revision != self.tables.bookings[booking_id].revision
        self._given[booking_id] = booking

    def _claim_or_release(self, booking: Booking) -> None:
        for seat_id in booking.seat_ids:
            seat = booking.event_id, seat_id
            if booking.is_live:
                self.tables.claims[seat] = booking.booking_id
            elif self.tables.claims.get(seat) == booking.booking_id:
                del self.tables.claims[seat]

    def _refuse_stale_bookings(self) -> None:
        committed = self._database.tables.bookings
        for booking_id, expected in self._expected.items():
            found = committed[booking_id].revision if booking_id in committed else 0
            if self._is_stale or found != expected:
                raise TransactionConflict

    def _refuse_double_claims(self) -> None:
        written: dict[UUID, Booking] = dict(layer_of(self.tables.bookings).written)
        taken = {
            seat_id
            for booking in written.values()
            if booking.is_live
            for seat_id in booking.seat_ids
            if not self._may_claim(booking, seat_id, written)
        }
        if taken:
            raise SeatAlreadyReserved.of(taken)

    def _may_claim(self, booking: Booking, seat_id: UUID, written: dict[UUID, Booking]) -> bool:
        seat = booking.event_id, seat_id
        if self.tables.claims.get(seat) != booking.booking_id:
            return False
        holder = self._database.tables.claims.get(seat, booking.booking_id)
        return holder == booking.booking_id or (holder in written and not written[holder].is_live)
