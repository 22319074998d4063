"""Reads of committed rows, each of one moment."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count, takewhile
from typing import Any, Final, TypeVar
from uuid import UUID

from booking_core.domain.booking import Booking
from booking_core.domain.history import HistoryEntry
from booking_core.domain.lifecycle import ON_HOLD, Status
from booking_core.domain.payments import RefundStatus
from booking_core.domain.reservation import IdempotencyKey
from booking_core.domain.values import SeatStatus, in_reading_order
from booking_core.ports import Backlogs, Closure, KnownEvent, Page, Paged, SeatList, SeatOnMap, Snapshot, Statistics
from booking_core.ports.reads import CancellationPreview
from booking_memory.tables import EventRow, SeatKey, Tables, page_of, response_key
from booking_memory.transaction import Database

_SOON: Final = timedelta(seconds=60)
"""A hold "ends soon" if the next pass of expiry ends it (FR-14)."""
_UNANSWERED: Final = timedelta(hours=1)
"""A refund without an answer counts as unanswered after this time."""


def statistics_of(tables: Tables, now: datetime) -> Statistics:
    """Return the statistics at `now`."""
    by_status = Counter(booking.as_of(now).status for booking in tables.bookings.values())
    return Statistics(by_status={status: by_status[status] for status in Status}, **_backlog_values(tables, now))


def backlogs_of(tables: Tables, now: datetime) -> Backlogs:
    """Return the backlogs at `now`."""
    return Backlogs(**_backlog_values(tables, now))


def _backlog_values(tables: Tables, now: datetime) -> dict[str, Any]:
    bookings = list(tables.bookings.values())
    overdue = [booking.deadline for booking in bookings if booking.is_overdue(now)]
    deadlines = [booking.deadline for booking in bookings if booking.status in ON_HOLD and booking.deadline]
    waiting = [row.record.recorded_at for row in tables.outbox.values() if row.published_at is None]
    payments = (payment for booking in bookings for payment in booking.payments.values())
    closures = [closure.cancelled_at for closure in tables.closures.values() if not closure.finished]
    refunds = [payment.refund_requested_at for payment in payments if payment.refund_status is RefundStatus.REQUESTED]
    return {
        "holds": sum(now < deadline for deadline in deadlines),
        "ending_soon": sum(now < deadline <= now + _SOON for deadline in deadlines),
        "overdue": len(overdue),
        "oldest_overdue_seconds": _oldest(overdue, now),
        "outbox": len(waiting),
        "oldest_outbox_seconds": _oldest(waiting, now),
        "unanswered_refunds": sum(at is not None and at <= now - _UNANSWERED for at in refunds),
        "oldest_unanswered_refund_seconds": _oldest(refunds, now),
        "open_closures": len(closures),
        "oldest_open_closure_seconds": _oldest(closures, now),
    }


def preview_of(tables: Tables, event_id: UUID, now: datetime) -> CancellationPreview:
    """Return what cancelling the event at `now` would end and refund; overdue holds have ended already."""
    live = [each for each in tables.bookings_of_event(event_id) if each.is_live and not each.is_overdue(now)]
    refunds: dict[str, tuple[Decimal, int]] = {}
    for payment in (payment for booking in live for payment in booking.payments.values()):
        money = payment.refundable
        if money is not None and payment.refund_reason is None:
            amount, number = refunds.get(money.currency, (Decimal(0), 0))
            refunds[money.currency] = amount + money.amount, number + 1
    return CancellationPreview(
        ended=tables.ended_with(event_id),
        bookings=len(live),
        seats=sum(len(each.seats) for each in live),
        refunds=refunds,
    )


def _oldest(moments: Iterable[datetime | None], now: datetime) -> float | None:
    ages = [(now - moment).total_seconds() for moment in moments if moment is not None]
    return max(ages, default=None)


T = TypeVar("T")


class MemoryReads:
    """`Reads` over a database; every booking handed out is a copy."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tables = database.tables

    def now(self) -> datetime:
        return self._database.clock()

    def booking(self, booking_id: UUID) -> Snapshot | None:
        return self._at_once(lambda now: self._snapshot(booking_id, now))

    def booking_with_ticket(self, reference: str) -> Snapshot | None:
        def read(now: datetime) -> Snapshot | None:
            having = (each.booking_id for each in self._tables.bookings.values() if each.ticket_reference == reference)
            found = next(having, None)
            return None if found is None else self._snapshot(found, now)

        return self._at_once(read)

    def bookings_of(self, user_id: str, status: Status | None, page: Page) -> Paged[Booking]:
        def read(now: datetime) -> Paged[Booking]:
            theirs = (each.as_of(now) for each in self._tables.bookings.values() if each.user_id == user_id)
            wanted = (each for each in theirs if status in (None, each.status))
            return page_of(sorted(wanted, key=lambda each: (each.created_at, each.booking_id), reverse=True), page)

        return self._at_once(read)

    def history(self, booking_id: UUID) -> Sequence[HistoryEntry]:
        def read(_: datetime) -> list[HistoryEntry]:
            history = self._tables.history
            numbers = takewhile(lambda number: (booking_id, number) in history, count(1))
            return [history[booking_id, number] for number in numbers]

        return self._at_once(read)

    def stored_responses(self, keys: Sequence[IdempotencyKey]) -> Sequence[bool]:
        return self._at_once(lambda _: [response_key(key) in self._tables.responses for key in keys])

    def event(self, event_id: UUID) -> KnownEvent | None:
        def read(now: datetime) -> KnownEvent | None:
            row = self._tables.events.get(event_id)
            return self._known(row, now) if row else None

        return self._at_once(read)

    def events(self, page: Page) -> Paged[KnownEvent]:
        def read(now: datetime) -> Paged[KnownEvent]:
            rows = sorted(self._tables.events.values(), key=lambda row: (row.event.starts_at, row.event.event_id))
            return page_of([self._known(row, now) for row in rows], page)

        return self._at_once(read)

    def seats(self, event_id: UUID) -> SeatList:
        def read(now: datetime) -> SeatList:
            # A withdrawn seat is included for as long as it has a live claim.
            shown = in_reading_order(
                row.seat
                for row in self._tables.seats_of_event(event_id)
                if not row.withdrawn or (event_id, row.seat.seat_id) in self._tables.claims
            )
            return SeatList(
                seats=[SeatOnMap(seat=each, status=self._status((event_id, each.seat_id), now)) for each in shown]
            )

        return self._at_once(read)

    def seat_statuses(self, event_id: UUID, seat_ids: Collection[UUID]) -> Mapping[UUID, SeatStatus]:
        def read(now: datetime) -> dict[UUID, SeatStatus]:
            rows = ((each, self._tables.seats.get((event_id, each))) for each in seat_ids)
            known = (each for each, row in rows if row is not None and not row.withdrawn)
            return {each: self._status((event_id, each), now) for each in known}

        return self._at_once(read)

    def open_closures(self) -> Sequence[Closure]:
        def read(_: datetime) -> list[Closure]:
            unfinished = [closure for closure in self._tables.closures.values() if not closure.finished]
            return sorted(unfinished, key=lambda closure: (closure.cancelled_at, closure.event_id))

        return self._at_once(read)

    def cancellation_preview(self, event_id: UUID) -> CancellationPreview:
        return self._at_once(lambda now: preview_of(self._tables, event_id, now))

    def backlogs(self) -> Backlogs:
        return self._at_once(lambda now: backlogs_of(self._tables, now))

    def statistics(self) -> Statistics:
        return self._at_once(lambda now: statistics_of(self._tables, now))

    def _at_once(self, read: Callable[[datetime], T]) -> T:
        with self._database.mutex:
            return read(self._database.clock())

    def _snapshot(self, booking_id: UUID, now: datetime) -> Snapshot | None:
        booking = self._tables.bookings.get(booking_id)
        return Snapshot(booking=booking.as_of(now), now=now) if booking else None

    def _known(self, row: EventRow, now: datetime) -> KnownEvent:
        closure = self._tables.closures.get(row.event.event_id)
        return KnownEvent(
            event=row.event,
            closed_at=closure.cancelled_at if closure else None,
            complete=row.complete,
            age_seconds=(now - row.refreshed_at).total_seconds() if row.ages else None,
        )

    def _status(self, seat: SeatKey, now: datetime) -> SeatStatus:
        holder = self._tables.claims.get(seat)
        booking = self._tables.bookings[holder] if holder else None
        if booking is None or booking.is_overdue(now):
            return SeatStatus.AVAILABLE
        return SeatStatus.SOLD if booking.status is Status.CONFIRMED else SeatStatus.HELD
