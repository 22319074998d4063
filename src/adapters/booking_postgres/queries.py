"""Reading bookings, events and seats: the effective status everywhere, whether a sweep has been or not."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from attrs import frozen
from sqlalchemy import ColumnElement, and_, func, select

from booking_core.booking import Booking
from booking_core.history import HistoryEntry
from booking_core.identity import slot_of_booking, slot_of_event
from booking_core.lifecycle import Status
from booking_core.ports.queries import (
    CancellationPreview,
    EventMirror,
    Page,
    Paged,
    SeatOnMap,
    Snapshot,
    Statistics,
)
from booking_core.ports.repositories import Closure
from booking_postgres import lists
from booking_postgres.batch import Statement
from booking_postgres.events import closure_of
from booking_postgres.lists import EVENT_COLUMNS, mirror_of
from booking_postgres.patience import LONG_PATIENCE_SECONDS
from booking_postgres.reading import Reader
from booking_postgres.rows import BOOKING_COLUMNS, booking_of, history_of
from booking_postgres.seat_maps import SeatMaps
from booking_postgres.statistics import preview_of, statistics_of
from booking_postgres.tables import events, history

_CLOCK: Final = func.clock_timestamp()
_ONE: Final = f"""
    SELECT {BOOKING_COLUMNS}, clock_timestamp() FROM booking.bookings b
    WHERE b.slot = %(slot)s AND b.booking_id = %(booking_id)s
"""  # noqa: S608
_EVENT: Final = f"""
    SELECT {EVENT_COLUMNS} FROM booking.events e WHERE e.slot = %(slot)s AND e.event_id = %(event_id)s
"""  # noqa: S608
_CLOSURE: Final = (
    events.c.event_id,
    events.c.close_reason,
    events.c.closed_at,
    events.c.closed_by,
    events.c.close_correlation_id,
    events.c.finished_at.is_not(None),
)


@frozen(eq=False)
class PostgresQueries:
    """See `booking_core.ports.Queries`."""

    reader: Reader
    seat_maps: SeatMaps

    def now(self) -> datetime:
        with self.reader.open() as connection:
            moment: datetime = connection.execute(select(_CLOCK)).scalar_one()
        return moment.astimezone(UTC)

    def booking(self, booking_id: UUID) -> Snapshot | None:
        rows = self.reader.rows(Statement(_ONE, {"slot": slot_of_booking(booking_id), "booking_id": booking_id}))
        if not rows:
            return None
        now: datetime = rows[0][-1]
        return Snapshot(booking=booking_of(rows[0]).as_of(now), now=now)

    def bookings_of(self, user_id: str, status: Status | None, page: Page) -> Paged[Booking]:
        return lists.bookings_of(self.reader, user_id, status, page)

    def history(self, booking_id: UUID) -> Sequence[HistoryEntry]:
        columns = [column for column in history.c if column.name not in ("slot", "booking_id")]
        with self.reader.open() as connection:
            rows = connection.execute(
                select(*columns)
                .where(history.c.slot == slot_of_booking(booking_id), history.c.booking_id == booking_id)
                .order_by(history.c.number)
            ).all()
        return [history_of(tuple(row)) for row in rows]

    def event(self, event_id: UUID) -> EventMirror | None:
        rows = self.reader.rows(Statement(_EVENT, {"slot": slot_of_event(event_id), "event_id": event_id}))
        return mirror_of(rows[0]) if rows else None

    def events(self, page: Page) -> Paged[EventMirror]:
        return lists.events(self.reader, page)

    def seats(self, event_id: UUID) -> Sequence[SeatOnMap]:
        return self.seat_maps.of(event_id)

    def open_closures(self) -> Sequence[Closure]:
        with self.reader.open() as connection:
            rows = connection.execute(
                select(*_CLOSURE)
                .where(events.c.closed_at.is_not(None), events.c.finished_at.is_(None))
                .order_by(events.c.closed_at)
            ).all()
        return [closure_of(tuple(row)) for row in rows]

    def closure(self, event_id: UUID) -> Closure | None:
        with self.reader.open() as connection:
            row = connection.execute(
                select(*_CLOSURE).where(_is_event(event_id), events.c.closed_at.is_not(None))
            ).one_or_none()
        return None if row is None else closure_of(tuple(row))

    def cancellation_preview(self, event_id: UUID) -> CancellationPreview:
        with self.reader.open(patience=LONG_PATIENCE_SECONDS) as connection:
            return preview_of(connection, event_id)

    def statistics(self) -> Statistics:
        with self.reader.open(patience=LONG_PATIENCE_SECONDS) as connection:
            return statistics_of(connection)


def _is_event(event_id: UUID) -> ColumnElement[bool]:
    return and_(events.c.slot == slot_of_event(event_id), events.c.event_id == event_id)
