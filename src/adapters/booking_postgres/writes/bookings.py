"""Bookings in PostgreSQL. The order of locks: idempotency key, user, bookings by id, seats by id."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from attrs import define, field
from psycopg.errors import UniqueViolation

from booking_core.domain.booking import Booking
from booking_core.domain.errors import SeatAlreadyReserved, TransactionConflict
from booking_core.domain.identity import slot_of_booking, slot_of_event
from booking_core.domain.reservation import SeatRequest
from booking_core.messages.envelopes import rfc3339
from booking_core.ports import ExpiryResult, LockedBooking, LockedSeats, StoredResponse
from booking_postgres.driver.pipeline import Row, Statement, StatementFailed
from booking_postgres.rows import BOOKING_COLUMNS, booking_of
from booking_postgres.writes import reservation, statements
from booking_postgres.writes.expiry import BY_KEYS, sweep_statement
from booking_postgres.writes.idempotency import response_of, translate_key_wait
from booking_postgres.writes.session import Session

_LOCK: Final = "SELECT revision FROM booking.bookings WHERE slot = %(slot)s AND booking_id = %(booking_id)s FOR UPDATE"
# Its waits are over when the next statement begins, so that one sees everything as it is under the lock.
_LOAD: Final = f"""
    SELECT {BOOKING_COLUMNS}, clock_timestamp(), e.starts_at, e.closed_at IS NOT NULL
    FROM booking.bookings b LEFT JOIN booking.events e ON e.slot = b.slot AND e.event_id = b.event_id
    WHERE b.slot = %(slot)s AND b.booking_id = ANY(%(booking_ids)s) ORDER BY b.booking_id
"""  # noqa: S608
_LOCK_LIVE: Final = """
    SELECT booking_id FROM booking.bookings
    WHERE slot = %(slot)s AND booking_id IN (
        SELECT DISTINCT booking_id FROM booking.claims
        WHERE slot = %(slot)s AND event_id = %(event_id)s AND ended_at IS NULL ORDER BY booking_id LIMIT %(limit)s)
    ORDER BY booking_id FOR UPDATE
"""
_NOW: Final = "SELECT clock_timestamp()"


@define(eq=False)
class PostgresBookings:
    """See `booking_core.ports.BookingRepository`."""

    session: Session
    _locked: dict[UUID, int] = field(factory=dict, init=False)
    _saved: list[Booking] = field(factory=list, init=False)
    _added: Booking | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self.session.translators.append(self._translate)
        self.session.before_commit.append(self._count_affected)

    def lock_seats(self, request: SeatRequest) -> LockedSeats | StoredResponse:
        found = reservation.loaded(self.session.run(reservation.lock_and_load(request, self.session.bounds)))
        if request.idempotency is not None and not found.key_is_ours:
            response = response_of(self.session, request.idempotency, found.earlier)
            if response is not None:
                return response
        if found.taken:
            return found.reservation_facts(request, ())
        if not found.is_settled:
            raise TransactionConflict()
        rows = self._load(slot_of_event(request.event_id), found.overdue)
        return found.reservation_facts(request, tuple(self._locked_of(row).booking for row in rows))

    def lock(self, *booking_ids: UUID) -> Mapping[UUID, LockedBooking]:
        by_slot: dict[int, list[UUID]] = {}
        for booking_id in sorted(set(booking_ids)):
            by_slot.setdefault(slot_of_booking(booking_id), []).append(booking_id)
        # Each statement names its slot, and of a slot the bookings are loaded when all of all slots are locked.
        locks = [_locking(booking_id) for booking_id in sorted(set(booking_ids))]
        loads = [_loading(slot, ids) for slot, ids in by_slot.items()]
        loaded = self.session.run([*locks, *loads])[len(locks) :]
        locked = [self._locked_of(row) for rows in loaded for row in rows]
        return {each.booking.booking_id: each for each in locked}

    def lock_live(self, event_id: UUID, limit: int) -> Sequence[LockedBooking]:
        slot = slot_of_event(event_id)
        [ids] = self.session.run([Statement(_LOCK_LIVE, {"slot": slot, "event_id": event_id, "limit": limit})])
        return [self._locked_of(row) for row in self._load(slot, [row[0] for row in ids])]

    def add(self, booking: Booking) -> None:
        self._added = booking
        self.session.pending.append(reservation.insert_booking(booking))

    def save(self, booking: Booking) -> None:
        if booking.booking_id not in self._locked:
            [found] = self.session.run([_locking(booking.booking_id)])
            self._locked[booking.booking_id] = found[0][0] if found else 0
        if self._locked[booking.booking_id] != booking.loaded_revision:
            raise TransactionConflict()
        if booking.new_history:
            self._locked[booking.booking_id] = booking.revision
            self._saved.append(booking)
            self.session.pending += statements.of_changed_booking(booking)

    def expire_overdue(self, limit: int) -> ExpiryResult:
        # Not in a caller's transaction, whose later plans are the caller's.
        ways = [BY_KEYS] if self.session.bounds is not None else []
        [*_, [[now]]] = self.session.run([*ways, Statement(_NOW, {})])
        [[counts]] = self.session.run([sweep_statement(now, limit, rfc3339(now))])
        return ExpiryResult(expired=counts[0], seats_released=counts[1])

    def _count_affected(self) -> None:
        self.session.pending += statements.of_affected_events(self._saved)
        self._saved = []

    def _translate(self, failure: StatementFailed) -> None:
        translate_key_wait(failure)
        if failure.name == "insert booking" and isinstance(failure.error, UniqueViolation) and self._added:
            rows = self.session.after_undoing(reservation.live_claims(self._added.event_id, self._added.seat_ids))
            if rows:
                raise SeatAlreadyReserved.of(row[0] for row in rows) from failure.error

    def _load(self, slot: int, booking_ids: Sequence[UUID]) -> list[Row]:
        if not booking_ids:
            return []
        [loaded] = self.session.run([_loading(slot, booking_ids)])
        return loaded

    def _locked_of(self, row: Row) -> LockedBooking:
        booking = booking_of(row)
        self._locked[booking.booking_id] = booking.revision
        now: datetime = row[-3]
        return LockedBooking(booking=booking, now=now, event_starts_at=row[-2], event_is_closed=row[-1])


def _locking(booking_id: UUID) -> Statement:
    return Statement(_LOCK, {"slot": slot_of_booking(booking_id), "booking_id": booking_id}, "lock booking")


def _loading(slot: int, booking_ids: Sequence[UUID]) -> Statement:
    return Statement(_LOAD, {"slot": slot, "booking_ids": list(booking_ids)}, "load bookings")
