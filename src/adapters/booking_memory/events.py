"""Events, seats and closures within one transaction."""

from collections.abc import Sequence
from uuid import UUID

from attrs import evolve

from booking_core.domain.errors import EventNotFound
from booking_core.domain.events import EventCancelled
from booking_core.domain.values import Seat, TicketedEvent
from booking_core.ports import Closure
from booking_memory.locks import event_lock, seat_lock
from booking_memory.tables import EventRow, SeatRow
from booking_memory.transaction import Transaction


class MemoryEvents:
    """`EventRepository` within one transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def put(self, event: TicketedEvent, *, ages: bool, complete: bool) -> None:
        self._put(event, ages=ages, complete=complete, refreshed=True)

    def _put(self, event: TicketedEvent, *, ages: bool, complete: bool, refreshed: bool) -> None:
        self._transaction.locks.take(event_lock(event.event_id))
        with self._transaction.reading() as now:
            events = self._transaction.tables.events
            before = events.get(event.event_id)
            was_complete = before is not None and before.complete
            refreshed_at = now if refreshed or before is None else before.refreshed_at
            events[event.event_id] = EventRow(
                event=event, ages=ages, complete=complete or was_complete, refreshed_at=refreshed_at
            )

    def put_if_unchanged(
        self,
        event: TicketedEvent,
        before: TicketedEvent | None,
        *,
        ages: bool,
        complete: bool,
        refreshed: bool = True,
    ) -> bool:
        stands = self.lock(event.event_id)
        if stands is None or before is None:
            as_before = stands is before
        else:
            as_before = (stands.currency, stands.status) == (before.currency, before.status)
        if as_before:
            self._put(event, ages=ages, complete=complete, refreshed=refreshed)
        return as_before

    def lock(self, event_id: UUID) -> TicketedEvent | None:
        self._transaction.locks.take(event_lock(event_id))
        with self._transaction.reading():
            row = self._transaction.tables.events.get(event_id)
            return None if row is None else row.event

    def put_seats(self, event_id: UUID, seats: Sequence[Seat]) -> int:
        with self._transaction.reading():
            if event_id not in self._transaction.tables.events:
                raise EventNotFound
        given = {seat.seat_id: SeatRow(seat=seat) for seat in seats}
        return sum(self._put_seat(event_id, given[seat_id]) for seat_id in sorted(given))

    def withdraw_seats(self, event_id: UUID, known: Sequence[UUID]) -> int:
        with self._transaction.reading():
            rows = self._transaction.tables.seats_of_event(event_id)
        keep = set(known)
        gone = [evolve(row, withdrawn=True) for row in rows if row.seat.seat_id not in keep]
        return sum(self._put_seat(event_id, row) for row in gone)

    def close(self, closure: Closure) -> Closure | None:
        self._transaction.locks.take(event_lock(closure.event_id))
        with self._transaction.reading() as now:
            tables = self._transaction.tables
            if closure.event_id not in tables.events:
                return None
            return tables.closures.setdefault(closure.event_id, evolve(closure, cancelled_at=now, finished=False))

    def finish(self, event: EventCancelled) -> bool:
        self._transaction.locks.take(event_lock(event.event_id))
        with self._transaction.reading():
            closures = self._transaction.tables.closures
            closure = closures.get(event.event_id)
            if closure is None or closure.finished:
                return False
            closures[event.event_id] = evolve(closure, finished=True)
            ended = self._transaction.tables.ended_with(event.event_id)
            self._transaction.write_event(evolve(event, affected_bookings=ended))
            return True

    def _put_seat(self, event_id: UUID, row: SeatRow) -> bool:
        """Write the row if it differs; an unchanged seat is not locked."""
        seat = event_id, row.seat.seat_id
        with self._transaction.reading():
            unchanged = self._transaction.tables.seats.get(seat) == row
        if unchanged:
            return False
        self._transaction.locks.take(seat_lock(*seat))
        with self._transaction.reading():
            self._transaction.tables.seats[seat] = row
        return True
