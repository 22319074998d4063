"""Look-ups for operators: a filter becomes conditions, each of which an index answers (migration 0008)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from attrs import frozen

from booking_core.domain.booking import Booking
from booking_core.domain.identity import slot_of_booking, slot_of_event, slot_of_ticket
from booking_core.domain.lifecycle import ON_HOLD, Status
from booking_core.ports.operators import BookingSelection, SeatPlace
from booking_core.ports.reads import Page, Paged
from booking_postgres.booking_rows import BOOKING_COLUMNS, booking_of
from booking_postgres.driver.connection import TABLE_SCAN_SECONDS
from booking_postgres.driver.pipeline import Rows, in_utc
from booking_postgres.driver.reader import Reader
from booking_postgres.driver.transaction import driver_of
from booking_postgres.reads.lists import bookings_sql, paged_bookings

_USER: Final = "b.user_id = %(user_id)s"
_EVENT: Final = "b.slot = %(event_slot)s AND b.event_id = %(event_id)s"
_TICKET: Final = "b.slot = %(ticket_slot)s AND b.ticket_reference = %(ticket_reference)s"
_PAYMENT: Final = """
    (b.slot, b.booking_id) IN (
        SELECT p.slot, p.booking_id FROM booking.payments p WHERE p.payment_id || '' = %(payment_id)s)
"""
_CORRELATION: Final = """
    (b.slot, b.booking_id) IN (
        SELECT h.slot, h.booking_id FROM booking.history h WHERE h.correlation_id = %(correlation_id)s)
"""
_CLAIM: Final = """
    SELECT c.booking_id FROM booking.claims c
    WHERE c.slot = %(seat_slot)s AND c.event_id = %(seat_event_id)s AND c.seat_id = ANY(ARRAY(
        SELECT s.seat_id FROM booking.seats s
        WHERE s.slot = %(seat_slot)s AND s.event_id = %(seat_event_id)s AND s.row_name = %(row)s
          AND s.number = %(number)s))
"""
# Live and ended claims have an index each.
_SEAT: Final = f"""
    b.slot = %(seat_slot)s AND b.booking_id = ANY(ARRAY(
        {_CLAIM} AND c.ended_at IS NULL UNION ALL {_CLAIM} AND c.ended_at IS NOT NULL))
"""
_ON_HOLD: Final = "b.status = %(status)s AND b.deadline > clock.now"
_CONFIRMED: Final = "b.status = %(status)s"
_CANCELLED: Final = "(b.status = 'CANCELLED' OR b.deadline <= clock.now)"
_SINCE: Final = "b.created_at >= %(since)s"
# Each order with the key behind which the next part begins. Those of one event are read along `bookings_of_event`.
_BY_KEY: Final = "b.slot, b.booking_id"
_AFTER_KEY: Final = f"({_BY_KEY}) > (%(after_slot)s, %(after_id)s)"
_BY_TIME: Final = "b.created_at, b.booking_id"
_AFTER_TIME: Final = f"b.created_at >= %(after_time)s AND ({_BY_TIME}) > (%(after_time)s, %(after_id)s)"
_NUMBERS: Final = range(2**31)


@frozen(eq=False)
class PostgresOperatorReads:
    """See `booking_core.ports.OperatorReads`."""

    reader: Reader

    def find(self, selection: BookingSelection, page: Page) -> Paged[Booking]:
        conditions, values = _conditions(selection)
        sql = bookings_sql(" AND ".join(conditions) or "true")
        return paged_bookings(self._rows(sql, values | {"limit": page.limit, "offset": page.offset}))

    def following(self, selection: BookingSelection, after: Booking | None, limit: int) -> Sequence[Booking]:
        conditions, values = _conditions(selection)
        order, behind = (_BY_KEY, _AFTER_KEY) if selection.event_id is None else (_BY_TIME, _AFTER_TIME)
        if after is not None:
            conditions.append(behind)
            values |= {"after_slot": slot_of_booking(after.booking_id), "after_id": after.booking_id}
            values["after_time"] = after.created_at
        sql = f"""
            WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS now)
            SELECT {BOOKING_COLUMNS}, clock.now FROM clock CROSS JOIN booking.bookings b
            WHERE {" AND ".join(conditions) or "true"}
            ORDER BY {order} LIMIT %(limit)s
        """  # noqa: S608 - made of the conditions above, which hold no values
        rows = self._rows(sql, values | {"limit": limit})
        return [booking_of(row).as_of(_now_of(row)) for row in rows]

    def _rows(self, sql: str, values: dict[str, Any]) -> Rows:
        # Planned for these values, and not prepared: a plan for all values could choose another index.
        with self.reader.open(answer_seconds=TABLE_SCAN_SECONDS) as connection:
            cursor = driver_of(connection).execute(sql, values, prepare=False)
            return in_utc(cursor.fetchall())


def _now_of(row: Sequence[Any]) -> datetime:
    now: datetime = row[-1]
    return now


def _conditions(selection: BookingSelection) -> tuple[list[str], dict[str, Any]]:
    conditions, values = list[str](), dict[str, Any]()
    if selection.user_id is not None:
        conditions.append(_USER)
        values["user_id"] = selection.user_id
    if (event_id := selection.event_id) is not None:
        conditions.append(_EVENT)
        values |= {"event_slot": slot_of_event(event_id), "event_id": event_id}
    if (seat := selection.seat) is not None:
        conditions.append(_SEAT if seat.number in _NUMBERS else "false")
        values |= _place(seat)
    if selection.payment_id is not None:
        conditions.append(_PAYMENT)
        values["payment_id"] = selection.payment_id
    if (reference := selection.ticket_reference) is not None:
        slot = slot_of_ticket(reference)
        conditions.append("false" if slot is None else _TICKET)
        values |= {"ticket_slot": slot, "ticket_reference": reference}
    if selection.correlation_id is not None:
        conditions.append(_CORRELATION)
        values["correlation_id"] = selection.correlation_id
    if (status := selection.status) is not None:
        on_hold = status in ON_HOLD
        conditions.append(_ON_HOLD if on_hold else _CONFIRMED if status is Status.CONFIRMED else _CANCELLED)
        values["status"] = status.value
    if selection.since is not None:
        conditions.append(_SINCE)
        values["since"] = selection.since
    return conditions, values


def _place(seat: SeatPlace) -> dict[str, Any]:
    return {
        "seat_slot": slot_of_event(seat.event_id),
        "seat_event_id": seat.event_id,
        "row": seat.row,
        "number": seat.number,
    }
