"""One transaction: its own writes, the locks it holds, and the moment when all of it becomes true."""

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
    """The computer's clock."""
    return datetime.now(UTC)


@frozen(kw_only=True, eq=False)
class Database:
    """What all units of work share. `mutex` is held for every look at the tables, and never while waiting."""

    clock: Callable[[], datetime] = utc_now
    lock_wait: float = DEFAULT_LOCK_WAIT
    answers_last: timedelta = timedelta(hours=24)
    tables: Tables = field(factory=Tables, init=False)
    locks: Locks = field(factory=Locks, init=False)
    mutex: RLock = field(factory=RLock, init=False)


class Transaction:
    """The writes and locks of one unit of work. Used by one thread.

    Whatever it writes is invisible to others until `commit`. Who changes a row holds the lock of that row until the
    end, so layers of two transactions never change the same row; bookings are compared by revision besides.
    """

    def __init__(self, database: Database) -> None:
        self.tables = database.tables.layered()
        self.locks = HeldLocks(database.locks, database.lock_wait)
        self.answers_last = database.answers_last
        self._database = database
        self._given: dict[UUID, Booking] = {}
        self._expected: dict[UUID, int] = {}
        self._is_stale = False
        self._traceparent = TRACEPARENT.get()

    @contextmanager
    def looking(self) -> Iterator[datetime]:
        """One statement: nobody commits while it looks. Yields the clock, read now."""
        self.locks.refuse_if_ended()
        with self._database.mutex:
            yield self._database.clock()

    def write(self, booking: Booking) -> None:
        """Store the booking, what is new about it, and the claims that follow from its status."""
        with self.looking():
            self._expect(booking)
            self.tables.bookings[booking.booking_id] = copy_of(booking)
            for entry in booking.new_history:
                self.tables.history[booking.booking_id, entry.number] = entry
            for event in booking.new_events:
                self.write_event(event)
            self._claim_or_release(booking)

    def write_event(self, event: DomainEvent) -> None:
        """Put the event into the outbox."""
        record = outbox_record(event, self._traceparent)
        self.tables.outbox[record.key, record.sequence] = OutboxRow(record=record)

    def commit(self) -> None:
        """Everything becomes visible at once, or an error says why nothing does (see `UnitOfWork.commit`)."""
        for booking_id in sorted(self._expected):
            self.locks.take(booking_lock(booking_id))
        with self._database.mutex:
            self._refuse_stale_bookings()
            self._refuse_double_claims()
            self.tables.settle()

    def _expect(self, booking: Booking) -> None:
        # Saved again, the same object brings all that is new since it was loaded; another one must have been loaded
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
