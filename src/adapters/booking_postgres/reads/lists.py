"""Lists in pages: entries, total and clock in one statement, and so in one snapshot.

A page beyond the end returns one row that contains nothing but the total.
"""

from datetime import datetime
from typing import Final

from booking_core.domain.booking import Booking
from booking_core.domain.lifecycle import Status
from booking_core.ports.reads import KnownEvent, Page, Paged
from booking_postgres.booking_rows import BOOKING_COLUMNS, booking_of
from booking_postgres.driver.pipeline import Row, Rows, Statement
from booking_postgres.driver.reader import Reader
from booking_postgres.event_rows import EVENT_COLUMNS, event_of

KNOWN_EVENT_COLUMNS: Final = f"""
    {EVENT_COLUMNS}, e.closed_at, e.complete, e.ages, extract(epoch FROM clock_timestamp() - e.refreshed_at)
"""
# The effective status: a hold past its deadline is CANCELLED, whatever is stored. One statement for each kind, because
# each needs a plan of its own.
_CANCELLED: Final = "(b.status = 'CANCELLED' OR b.deadline <= clock.now)"
_OF_STATUS: Final = "b.status = %(status)s AND (b.deadline <= clock.now) IS NOT TRUE"
_EVENTS: Final = f"""
    SELECT {KNOWN_EVENT_COLUMNS}, whole.total
    FROM (SELECT count(*) AS total FROM booking.events) whole LEFT JOIN (
        SELECT * FROM booking.events ORDER BY starts_at, event_id LIMIT %(limit)s OFFSET %(offset)s) e ON true
    ORDER BY e.starts_at, e.event_id
"""  # noqa: S608


def bookings_sql(condition: str) -> str:
    """The statement that reads one page of the bookings `b` that meet the condition, at `clock.now`; newest first."""
    wanted = f"booking.bookings b WHERE {condition}"
    # Materialized: counted once, and not for each entry.
    return f"""
        WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS now),
             whole AS MATERIALIZED (SELECT count(*) AS total FROM clock CROSS JOIN {wanted})
        SELECT {BOOKING_COLUMNS}, clock.now, whole.total
        FROM clock CROSS JOIN whole LEFT JOIN LATERAL (
            SELECT b.* FROM {wanted} ORDER BY b.created_at DESC, b.booking_id DESC
            LIMIT %(limit)s OFFSET %(offset)s) b ON true
        ORDER BY b.created_at DESC, b.booking_id DESC
    """  # noqa: S608


_OF_USER: Final = "b.user_id = %(user_id)s"
_BOOKINGS: Final = {status: bookings_sql(f"{_OF_USER} AND {_OF_STATUS}") for status in Status} | {
    None: bookings_sql(_OF_USER),
    Status.CANCELLED: bookings_sql(f"{_OF_USER} AND {_CANCELLED}"),
}


def bookings_of(reader: Reader, user_id: str, status: Status | None, page: Page) -> Paged[Booking]:
    """See `booking_core.ports.Reads.bookings_of`."""
    values = {
        "user_id": user_id,
        "status": None if status is None else status.value,
        "limit": page.limit,
        "offset": page.offset,
    }
    return paged_bookings(reader.rows(Statement(_BOOKINGS[status], values)))


def paged_bookings(rows: Rows) -> Paged[Booking]:
    """Build the page of bookings from the rows of a statement of `bookings_sql`."""
    now: datetime = rows[0][-2]
    return Paged(items=[booking_of(row).as_of(now) for row in rows if row[0] is not None], total=rows[0][-1])


def events(reader: Reader, page: Page) -> Paged[KnownEvent]:
    """See `booking_core.ports.Reads.events`."""
    rows = reader.rows(Statement(_EVENTS, {"limit": page.limit, "offset": page.offset}))
    return Paged(items=[known_event_of(row) for row in rows if row[0] is not None], total=rows[0][-1])


def known_event_of(row: Row) -> KnownEvent:
    """Build the event of a row that starts with KNOWN_EVENT_COLUMNS."""
    age_seconds = float(row[8]) if row[7] else None
    return KnownEvent(event=event_of(row), closed_at=row[5], complete=row[6], age_seconds=age_seconds)
