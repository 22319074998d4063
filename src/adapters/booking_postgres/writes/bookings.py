"""Bookings and the inbox in PostgreSQL. Order of locks: user, bookings by id, seats by id, key, messages by id."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from attrs import define, field, frozen

from booking_core.domain.booking import Booking
from booking_core.domain.commands import PaymentCommand
from booking_core.domain.errors import IdempotencyKeyReused, TransactionConflict
from booking_core.domain.identity import slot_of_booking, slot_of_event, slot_of_message
from booking_core.domain.reservation import SeatRequest
from booking_core.messages.envelopes import rfc3339
from booking_core.ports import Deferral, ExpiryResult, LockedBooking, MemberFacts, NewBooking, Receipt, StoredResponse
from booking_postgres.booking_rows import BOOKING_COLUMNS, affected_counts, booking_of, changed_booking
from booking_postgres.driver.pipeline import Row, Statement
from booking_postgres.driver.transaction import Transaction
from booking_postgres.writes import group
from booking_postgres.writes.expiry import expiry_statement
from booking_postgres.writes.reservation import PostgresReservations

_LOCK: Final = "SELECT revision FROM booking.bookings WHERE slot = %(slot)s AND booking_id = %(booking_id)s FOR UPDATE"
# The next statement begins after the waits of this one, and therefore reads what is valid under the lock. LATERAL and
# OFFSET 0: with `= ANY (...)` PostgreSQL 15 may read all bookings of the slot, in their order (ADR 0033).
_LOAD: Final = f"""
    SELECT {BOOKING_COLUMNS}, clock_timestamp(), e.starts_at, e.closed_at IS NOT NULL
    FROM unnest(%(booking_ids)s::uuid[]) w (booking_id), LATERAL (
        SELECT * FROM booking.bookings b WHERE b.slot = %(slot)s AND b.booking_id = w.booking_id OFFSET 0) b
    LEFT JOIN booking.events e ON e.slot = b.slot AND e.event_id = b.event_id ORDER BY b.booking_id
"""  # noqa: S608
# Not in the order of bookings: that would read and sort all live claims of the event for each chunk.
_LIVE: Final = """
    SELECT booking_id FROM booking.claims
    WHERE slot = %(slot)s AND event_id = %(event_id)s AND ended_at IS NULL LIMIT %(limit)s
"""
_NOW: Final = "SELECT clock_timestamp()"
# A message has one row, in the slot of its own id: so the primary key finds every use of an id, whatever the slots of
# the bookings (ADR 0031). Earlier versions stored it in the slot of its booking, without payment and type; such a row
# counts as the same message if the booking is the same.
_OF_EARLIER_VERSION: Final = """
    SELECT booking_id, payment_id, event_type FROM booking.inbox
    WHERE slot = %(slot)s AND message_id = %(message_id)s AND event_type IS NULL
"""
_MARK_PROCESSED: Final = """
    INSERT INTO booking.inbox (slot, message_id, booking_id, payment_id, event_type, received_at)
    VALUES (%(slot)s, %(message_id)s, %(booking_id)s, %(payment_id)s, %(event_type)s, clock_timestamp())
    ON CONFLICT (slot, message_id) DO NOTHING RETURNING true
"""
_FIRST_USE: Final = """
    SELECT booking_id, payment_id, event_type FROM booking.inbox WHERE slot = %(slot)s AND message_id = %(message_id)s
"""
_RETAIN: Final = """
    UPDATE booking.inbox SET retained = true
    WHERE slot = %(slot)s AND message_id = %(message_id)s AND NOT retained
"""


Placed = tuple[int, PaymentCommand]
"""A message and its place in the order given."""


@define(eq=False)
class PostgresBookings(PostgresReservations):
    """See `booking_core.ports.BookingRepository`."""

    _locked: dict[UUID, int] = field(factory=dict, init=False)
    _saved: list[Booking] = field(factory=list, init=False)

    def lock_group(
        self, requests: Sequence[SeatRequest]
    ) -> Sequence[MemberFacts | StoredResponse | IdempotencyKeyReused | Deferral]:
        load = group.lock_and_load_group(requests, self.transaction.reservation_timeouts)
        [[row]] = self.transaction.run([load])
        return group.loaded_group(requests, row, self.responses.idempotency_hours)

    def add_group(self, bookings: Sequence[NewBooking]) -> None:
        self.transaction.translators.append(group.translate_write)
        self.transaction.pending.append(group.insert_group(bookings, self.responses.idempotency_hours))

    def lock(self, *booking_ids: UUID) -> Mapping[UUID, LockedBooking]:
        by_slot: dict[int, list[UUID]] = {}
        for booking_id in sorted(set(booking_ids)):
            by_slot.setdefault(slot_of_booking(booking_id), []).append(booking_id)
        # One load for each slot, after the locks of all slots. The plans hold for the writes that follow, too.
        locks = [_locking(booking_id) for booking_id in sorted(set(booking_ids))]
        loads = [_loading(slot, ids) for slot, ids in by_slot.items()]
        loaded = self.transaction.run_by_keys(*locks, *loads)[len(locks) :]
        locked = [self._locked_of(row) for rows in loaded for row in rows]
        return {each.booking.booking_id: each for each in locked}

    def lock_live(self, event_id: UUID, limit: int) -> Sequence[LockedBooking]:
        slot = slot_of_event(event_id)
        [rows] = self.transaction.run_by_keys(Statement(_LIVE, {"slot": slot, "event_id": event_id, "limit": limit}))
        booking_ids = sorted({booking_id for (booking_id,) in rows})
        self.transaction.run([_locking(booking_id) for booking_id in booking_ids])
        return self.load_locked(slot, booking_ids) if booking_ids else []

    def load_locked(self, slot: int, booking_ids: Sequence[UUID]) -> list[LockedBooking]:
        [rows] = self.transaction.run([_loading(slot, booking_ids)])
        return [self._locked_of(row) for row in rows]

    def save(self, booking: Booking) -> None:
        if booking.booking_id not in self._locked:
            [found] = self.transaction.run([_locking(booking.booking_id)])
            self._locked[booking.booking_id] = found[0][0] if found else 0
        if self._locked[booking.booking_id] != booking.loaded_revision:
            raise TransactionConflict()
        if booking.new_history:
            if self._count_affected not in self.transaction.before_commit:
                self.transaction.before_commit.append(self._count_affected)
            self._locked[booking.booking_id] = booking.revision
            self._saved.append(booking)
            self.transaction.pending += changed_booking(booking)

    def expire_overdue(self, limit: int) -> ExpiryResult:
        [[[now]]] = self.transaction.run_by_keys(Statement(_NOW, {}))
        [[counts]] = self.transaction.run([expiry_statement(now, limit, rfc3339(now))])
        return ExpiryResult(expired=counts[0], seats_released=counts[1])

    def _count_affected(self) -> None:
        saved, self._saved = self._saved, []
        self.transaction.pending += affected_counts(saved)

    def _locked_of(self, row: Row) -> LockedBooking:
        booking = booking_of(row)
        self._locked[booking.booking_id] = booking.revision
        now: datetime = row[-3]
        return LockedBooking(booking=booking, now=now, event_starts_at=row[-2], event_is_closed=row[-1])


@frozen(eq=False)
class PostgresInbox:
    """See `booking_core.ports.Inbox`."""

    transaction: Transaction

    def mark_processed(self, messages: Sequence[PaymentCommand]) -> Sequence[Receipt]:
        # Sorted, as every transaction inserts them: no two of them wait for each other.
        placed = sorted(enumerate(messages), key=lambda each: each[1].message_id)
        receipts = self._compared(_OF_EARLIER_VERSION, placed, _slot_of_earlier_version)
        unknown = [each for each in placed if each[0] not in receipts]
        inserted = self._run(_MARK_PROCESSED, unknown, _slot)
        receipts |= {place: Receipt.NEW for (place, _), rows in zip(unknown, inserted, strict=True) if rows}
        receipts |= self._compared(_FIRST_USE, [each for each in unknown if each[0] not in receipts], _slot)
        if len(receipts) < len(messages):
            raise TransactionConflict()  # a first use was pruned between the two statements
        return [receipts[place] for place in range(len(messages))]

    def retain(self, messages: Sequence[PaymentCommand]) -> None:
        self._run(_RETAIN, list(enumerate(messages)), _slot)

    def _compared(
        self, first_use: str, placed: Sequence[Placed], slot_of: Callable[[PaymentCommand], int]
    ) -> dict[int, Receipt]:
        """The receipts of those messages whose first use is found, by place; an id that was reused is retained."""
        found = self._run(first_use, placed, slot_of)
        receipts = {
            place: _receipt(message, rows[0]) for (place, message), rows in zip(placed, found, strict=True) if rows
        }
        self._run(_RETAIN, [each for each in placed if receipts.get(each[0]) is Receipt.REUSED], slot_of)
        return receipts

    def _run(
        self, sql: str, placed: Sequence[Placed], slot_of: Callable[[PaymentCommand], int]
    ) -> Sequence[Sequence[Row]]:
        if not placed:
            return []
        return self.transaction.run([Statement(sql, _values(message, slot_of), "inbox") for _, message in placed])


def _values(message: PaymentCommand, slot_of: Callable[[PaymentCommand], int]) -> dict[str, Any]:
    return {
        "slot": slot_of(message),
        "message_id": message.message_id,
        "booking_id": message.booking_id,
        "payment_id": message.payment_id,
        "event_type": message.event_type,
    }


def _slot(message: PaymentCommand) -> int:
    return slot_of_message(message.message_id)


def _slot_of_earlier_version(message: PaymentCommand) -> int:
    return slot_of_booking(message.booking_id)


def _receipt(message: PaymentCommand, first_use: Row) -> Receipt:
    content = (message.booking_id, message.payment_id, message.event_type)
    is_same = tuple(first_use) == content or (first_use[2] is None and first_use[0] == message.booking_id)
    return Receipt.REPEATED if is_same else Receipt.REUSED


def _locking(booking_id: UUID) -> Statement:
    return Statement(_LOCK, {"slot": slot_of_booking(booking_id), "booking_id": booking_id}, "lock booking")


def _loading(slot: int, booking_ids: Sequence[UUID]) -> Statement:
    return Statement(_LOAD, {"slot": slot, "booking_ids": list(booking_ids)}, "load bookings")
