"""Reading bookings, events and seats: the effective status everywhere, whether a sweep has been or not."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from attrs import frozen
from sqlalchemy import ColumnElement, Row, and_, func, not_, or_, select, text

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
from booking_core.values import SaleStatus, Seat, SeatStatus, TicketedEvent
from booking_postgres.batch import Statement, in_utc
from booking_postgres.events import closure_of
from booking_postgres.patience import LONG_PATIENCE_SECONDS
from booking_postgres.reading import Reader
from booking_postgres.rows import BOOKING_COLUMNS, booking_of, history_of
from booking_postgres.statistics import preview_of, statistics_of
from booking_postgres.tables import bookings, events, history

_CLOCK: Final = func.clock_timestamp()
_ONE: Final = f"""
    SELECT {BOOKING_COLUMNS}, clock_timestamp() FROM booking.bookings b
    WHERE b.slot = %(slot)s AND b.booking_id = %(booking_id)s
"""  # noqa: S608
_SOME: Final = text(
    f"SELECT {BOOKING_COLUMNS} FROM booking.bookings b"  # noqa: S608
    " JOIN unnest(CAST(:slots AS smallint[]), CAST(:ids AS uuid[])) WITH ORDINALITY AS w (slot, id, place)"
    " ON b.slot = w.slot AND b.booking_id = w.id ORDER BY w.place"
)
_EVENT: Final = (
    events.c.event_id,
    events.c.name,
    events.c.starts_at,
    events.c.sale_status,
    events.c.currency,
    events.c.ages,
    events.c.complete,
    events.c.closed_at.is_not(None).label("closed"),
    func.extract("epoch", _CLOCK - events.c.refreshed_at).label("age"),
)
# A withdrawn seat is shown as long as somebody has it.
_SEATS: Final = """
    WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS now)
    SELECT s.seat_id, s.row_name, s.number, s.price,
           CASE WHEN c.seat_id IS NULL OR c.held_until <= now THEN 'AVAILABLE'
                WHEN c.held_until IS NULL THEN 'SOLD' ELSE 'HELD' END
    FROM clock, booking.seats s LEFT JOIN booking.claims c
        ON c.slot = s.slot AND c.event_id = s.event_id AND c.seat_id = s.seat_id AND c.ended_at IS NULL
    WHERE s.slot = %(slot)s AND s.event_id = %(event_id)s AND (NOT s.withdrawn OR c.seat_id IS NOT NULL)
    ORDER BY s.row_name, s.number, s.seat_id
"""
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
        with self.reader.open() as connection:
            now = connection.execute(select(_CLOCK)).scalar_one().astimezone(UTC)
            wanted = and_(bookings.c.user_id == user_id, _has_status(status, now))
            total: int = connection.execute(select(func.count()).select_from(bookings).where(wanted)).scalar_one()
            keys = connection.execute(
                select(bookings.c.slot, bookings.c.booking_id)
                .where(wanted)
                .order_by(bookings.c.created_at.desc(), bookings.c.booking_id.desc())
                .limit(page.limit)
                .offset(page.offset)
            ).all()
            found = connection.execute(_SOME, {"slots": [key[0] for key in keys], "ids": [key[1] for key in keys]})
            return Paged(
                items=[booking_of(row).as_of(now) for row in in_utc([tuple(row) for row in found])], total=total
            )

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
        with self.reader.open() as connection:
            row = connection.execute(select(*_EVENT).where(_is_event(event_id))).one_or_none()
        return None if row is None else _mirror_of(row)

    def events(self, page: Page) -> Paged[EventMirror]:
        with self.reader.open() as connection:
            total: int = connection.execute(select(func.count()).select_from(events)).scalar_one()
            rows = connection.execute(
                select(*_EVENT).order_by(events.c.starts_at, events.c.event_id).limit(page.limit).offset(page.offset)
            ).all()
        return Paged(items=[_mirror_of(row) for row in rows], total=total)

    def seats(self, event_id: UUID) -> Sequence[SeatOnMap]:
        rows = self.reader.rows(Statement(_SEATS, {"slot": slot_of_event(event_id), "event_id": event_id}))
        return [_seat_on_map(row) for row in rows]

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


def _has_status(status: Status | None, now: datetime) -> ColumnElement[bool]:
    """The effective status: a hold past its deadline is CANCELLED, whatever is written."""
    overdue = bookings.c.deadline <= now
    if status is None:
        return bookings.c.slot.is_not(None)
    if status is Status.CANCELLED:
        return or_(bookings.c.status == status.value, overdue)
    return and_(bookings.c.status == status.value, not_(func.coalesce(overdue, False)))


def _is_event(event_id: UUID) -> ColumnElement[bool]:
    return and_(events.c.slot == slot_of_event(event_id), events.c.event_id == event_id)


def _mirror_of(row: Row[Any]) -> EventMirror:
    event = TicketedEvent(
        event_id=row.event_id,
        name=row.name,
        starts_at=row.starts_at,
        status=SaleStatus(row.sale_status),
        currency=row.currency,
    )
    return EventMirror(
        event=event, closed=row.closed, complete=row.complete, age_seconds=float(row.age) if row.ages else None
    )


def _seat_on_map(row: Sequence[Any]) -> SeatOnMap:
    return SeatOnMap(seat=Seat(seat_id=row[0], row=row[1], number=row[2], price=row[3]), status=SeatStatus(row[4]))
