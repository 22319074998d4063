"""Backlogs, statistics and the preview of a cancellation."""

from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, text

from booking_core.domain.identity import slot_of_event
from booking_core.domain.lifecycle import Status
from booking_core.domain.payments import rounded
from booking_core.ports.reads import Backlogs, CancellationPreview, Statistics

_BY_STATUS: Final = text("""
    SELECT CASE WHEN deadline <= clock_timestamp() THEN 'CANCELLED' ELSE status END, count(*)
    FROM booking.bookings GROUP BY 1
""")
_BACKLOGS: Final = text("""
    WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS now)
    SELECT
        (SELECT count(*) FROM booking.bookings WHERE deadline > now),
        (SELECT count(*) FROM booking.bookings WHERE deadline > now AND deadline <= now + interval '1 minute'),
        (SELECT count(*) FROM booking.bookings WHERE deadline <= now),
        (SELECT extract(epoch FROM now - min(deadline)) FROM booking.bookings WHERE deadline <= now),
        (SELECT count(*) FROM booking.outbox WHERE published_at IS NULL),
        (SELECT extract(epoch FROM now - min(recorded_at)) FROM booking.outbox WHERE published_at IS NULL),
        (SELECT count(*) FROM booking.payments WHERE refund_status = 'REQUESTED'
             AND refund_requested_at <= now - interval '1 hour'),
        (SELECT extract(epoch FROM now - min(refund_requested_at)) FROM booking.payments
             WHERE refund_status = 'REQUESTED'),
        (SELECT count(*) FROM booking.events WHERE closed_at IS NOT NULL AND finished_at IS NULL),
        (SELECT extract(epoch FROM now - min(closed_at)) FROM booking.events
             WHERE closed_at IS NOT NULL AND finished_at IS NULL)
    FROM clock
""")
# An overdue hold is not live: cancelling the event expires it.
_LIVE: Final = """
    FROM booking.claims c JOIN booking.bookings b ON b.slot = c.slot AND b.booking_id = c.booking_id
    WHERE c.slot = :slot AND c.event_id = :event_id AND c.ended_at IS NULL
      AND (b.deadline IS NULL OR b.deadline > clock_timestamp())
"""
_PREVIEW: Final = text(f"""
    SELECT (SELECT affected_bookings FROM booking.events WHERE slot = :slot AND event_id = :event_id),
        count(DISTINCT b.booking_id), count(*) {_LIVE}
""")  # noqa: S608
_REFUNDS: Final = text(f"""
    SELECT p.currency, p.amount, count(*) FROM booking.payments p
    WHERE p.slot = :slot AND p.status = 'TAKEN' AND p.refund_reason IS NULL
      AND p.booking_id IN (SELECT b.booking_id {_LIVE})
    GROUP BY p.currency, p.amount ORDER BY p.currency
""")  # noqa: S608


def statistics_of(connection: Connection) -> Statistics:
    """Read numbers and ages by the database's clock."""
    counted = {Status(row[0]): int(row[1]) for row in connection.execute(_BY_STATUS)}
    return Statistics(by_status={status: counted.get(status, 0) for status in Status}, **_backlogs(connection))


def backlogs_of(connection: Connection) -> Backlogs:
    """Read what waits by the database's clock; all of it is found by index."""
    return Backlogs(**_backlogs(connection))


def preview_of(connection: Connection, event_id: UUID) -> CancellationPreview:
    """Read what cancelling the event would end and refund now, and what has ended because of it."""
    values = {"slot": slot_of_event(event_id), "event_id": event_id}
    ended, bookings, seats = connection.execute(_PREVIEW, values).one()
    refunds: dict[str, tuple[Decimal, int]] = {}
    for currency, amount, count in connection.execute(_REFUNDS, values):
        if refund := rounded(amount, currency):
            so_far, number = refunds.get(currency, (Decimal(0), 0))
            refunds[currency] = so_far + refund * count, number + int(count)
    return CancellationPreview(ended=ended or 0, bookings=bookings, seats=seats, refunds=refunds)


def _backlogs(connection: Connection) -> dict[str, Any]:
    row = connection.execute(_BACKLOGS).one()
    return {
        "holds": row[0],
        "ending_soon": row[1],
        "overdue": row[2],
        "oldest_overdue_seconds": _seconds(row[3]),
        "outbox": row[4],
        "oldest_outbox_seconds": _seconds(row[5]),
        "unanswered_refunds": row[6],
        "oldest_unanswered_refund_seconds": _seconds(row[7]),
        "open_closures": row[8],
        "oldest_open_closure_seconds": _seconds(row[9]),
    }


def _seconds(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
