"""Published events that are still kept, read in pages along the primary key."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection

from booking_core.domain.identity import slot_of_booking, slot_of_event
from booking_core.ports import EventSelection, OutboxRecord
from booking_postgres.driver.pipeline import Statement
from booking_postgres.driver.reader import rows_on

COLUMNS: Final = (
    "o.slot, o.key, o.sequence, o.message_id, o.event_type, o.correlation_id, o.recorded_at, o.body, o.traceparent"
)
"""The columns of `record_of` in its order; `o` is the outbox."""

_SINCE: Final = "o.recorded_at >= CAST(%(since)s AS timestamptz)"
_UNTIL: Final = "o.recorded_at < CAST(%(until)s AS timestamptz)"
_TYPES: Final = "o.event_type = ANY (CAST(%(types)s AS text[]))"
_BOOKING: Final = "o.slot = %(booking_slot)s AND o.key = %(booking_id)s"
# Looks up each booking by its primary key: an event may have far more bookings than a page has records.
_EVENT: Final = """
    o.slot = %(event_slot)s AND (o.key = %(event_id)s OR EXISTS (
        SELECT FROM booking.bookings b WHERE b.slot = o.slot AND b.booking_id = o.key AND b.event_id = %(event_id)s))
"""
_AFTER: Final = "(o.slot, o.key, o.sequence) > (%(after_slot)s, %(after_key)s, %(after_sequence)s)"


def read_stored(
    connection: Connection, selection: EventSelection, after: OutboxRecord | None, limit: int
) -> Sequence[OutboxRecord]:
    """See `booking_core.ports.Outbox.stored`."""
    conditions, values = _chosen(selection)
    if after is not None:
        conditions.append(_AFTER)
        values |= {"after_slot": after.slot, "after_key": after.key, "after_sequence": after.sequence}
    query = f"""
        SELECT {COLUMNS} FROM booking.outbox o WHERE {" AND ".join(conditions)}
        ORDER BY o.slot, o.key, o.sequence LIMIT %(limit)s
    """  # noqa: S608 - made of the conditions above, which hold no values
    return [record_of(row) for row in rows_on(connection, Statement(query, values | {"limit": limit}))]


def record_of(row: Sequence[Any]) -> OutboxRecord:
    """Build the record of a row of COLUMNS."""
    return OutboxRecord(
        slot=row[0],
        key=row[1],
        sequence=row[2],
        message_id=row[3],
        event_type=row[4],
        correlation_id=row[5],
        recorded_at=row[6],
        body=row[7].encode(),
        traceparent=row[8],
    )


def _chosen(selection: EventSelection) -> tuple[list[str], dict[str, Any]]:
    conditions, values = ["o.published_at IS NOT NULL"], dict[str, Any]()
    if selection.since is not None:
        conditions.append(_SINCE)
        values["since"] = selection.since
    if selection.until is not None:
        conditions.append(_UNTIL)
        values["until"] = selection.until
    if selection.types:
        conditions.append(_TYPES)
        values["types"] = sorted(selection.types)
    if (booking_id := selection.booking_id) is not None:
        conditions.append(_BOOKING)
        values |= {"booking_slot": slot_of_booking(booking_id), "booking_id": booking_id}
    if (event_id := selection.event_id) is not None:
        conditions.append(_EVENT)
        values |= {"event_slot": slot_of_event(event_id), "event_id": event_id}
    return conditions, values
