"""Look-ups for operators over committed rows."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from booking_core.domain.booking import Booking
from booking_core.domain.identity import slot_of_booking
from booking_core.ports import BookingSelection, Page, Paged, SeatPlace
from booking_memory.tables import page_of
from booking_memory.transaction import Database


class MemoryOperatorReads:
    """`OperatorReads` over a database; every booking handed out is a copy."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tables = database.tables

    def find(self, selection: BookingSelection, page: Page) -> Paged[Booking]:
        with self._database.mutex:
            found = list(self._matching(selection, self._database.clock()))
        return page_of(sorted(found, key=lambda each: (each.created_at, each.booking_id), reverse=True), page)

    def following(self, selection: BookingSelection, after: Booking | None, limit: int) -> Sequence[Booking]:
        with self._database.mutex:
            found = list(self._matching(selection, self._database.clock()))
        key = _key_of if selection.event_id is None else _time_of
        return sorted((each for each in found if after is None or key(each) > key(after)), key=key)[:limit]

    def _matching(self, selection: BookingSelection, now: datetime) -> Iterator[Booking]:
        for stored in self._tables.bookings.values():
            booking = stored.as_of(now)
            if self._matches(selection, booking):
                yield booking

    def _matches(self, selection: BookingSelection, booking: Booking) -> bool:
        equal = (
            (selection.user_id, booking.user_id),
            (selection.event_id, booking.event_id),
            (selection.ticket_reference, booking.ticket_reference),
            (selection.status, booking.status),
        )
        return (
            all(wanted is None or wanted == found for wanted, found in equal)
            and (selection.payment_id is None or selection.payment_id in booking.payments)
            and (selection.since is None or selection.since <= booking.created_at)
            and (selection.seat is None or self._has_place(booking, selection.seat))
            and (selection.correlation_id is None or selection.correlation_id in self._correlations(booking))
        )

    def _has_place(self, booking: Booking, place: SeatPlace) -> bool:
        rows = (self._tables.seats.get((place.event_id, seat_id)) for seat_id in booking.seat_ids)
        return booking.event_id == place.event_id and any(
            row is not None and (row.seat.row, row.seat.number) == (place.row, place.number) for row in rows
        )

    def _correlations(self, booking: Booking) -> set[str]:
        numbers = range(1, booking.revision + 1)
        history = (self._tables.history.get((booking.booking_id, number)) for number in numbers)
        return {entry.correlation_id for entry in history if entry is not None}


def _key_of(booking: Booking) -> tuple[Any, bytes]:
    return slot_of_booking(booking.booking_id), booking.booking_id.bytes


def _time_of(booking: Booking) -> tuple[Any, bytes]:
    return booking.created_at, booking.booking_id.bytes
