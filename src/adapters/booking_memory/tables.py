"""What is stored, as rows that are replaced and never changed in place."""

from collections.abc import Iterator, MutableMapping
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from attrs import define, evolve, field, fields, frozen

from booking_core.booking import Booking
from booking_core.history import HistoryEntry
from booking_core.idempotency import IdempotencyKey
from booking_core.ports import Closure, OutboxRecord
from booking_core.values import Seat, TicketedEvent
from booking_memory.layers import Layer

SeatKey = tuple[UUID, UUID]
"""Event and seat."""
AnswerKey = tuple[str, str, str]
"""User, operation and key."""


@frozen(kw_only=True)
class EventRow:
    """An event as it was last put. `ages`: a Catalog told of it, and must be asked again in time."""

    event: TicketedEvent
    ages: bool
    complete: bool
    refreshed_at: datetime


@frozen(kw_only=True)
class SeatRow:
    """A seat; one that is withdrawn cannot be reserved."""

    seat: Seat
    withdrawn: bool = False


@frozen(kw_only=True)
class AnswerRow:
    """The answer given under an idempotency key."""

    fingerprint: str
    answer: str
    kept_at: datetime


@frozen(kw_only=True)
class OutboxRow:
    """A stored event, and when it was published."""

    record: OutboxRecord
    published_at: datetime | None = None


@define(kw_only=True)
class Tables:
    """All that is stored. The committed ones are plain dictionaries; a unit of work sees them through layers."""

    bookings: MutableMapping[UUID, Booking] = field(factory=dict)
    claims: MutableMapping[SeatKey, UUID] = field(factory=dict)
    history: MutableMapping[tuple[UUID, int], HistoryEntry] = field(factory=dict)
    outbox: MutableMapping[tuple[UUID, int], OutboxRow] = field(factory=dict)
    inbox: MutableMapping[tuple[UUID, UUID], datetime] = field(factory=dict)
    answers: MutableMapping[AnswerKey, AnswerRow] = field(factory=dict)
    events: MutableMapping[UUID, EventRow] = field(factory=dict)
    seats: MutableMapping[SeatKey, SeatRow] = field(factory=dict)
    closures: MutableMapping[UUID, Closure] = field(factory=dict)

    def layered(self) -> "Tables":
        """The same, under changes of one unit of work."""
        return Tables(**{column.name: Layer(getattr(self, column.name)) for column in fields(Tables)})

    def settle(self) -> None:
        """Make the changes of these layers part of the tables below."""
        for column in fields(Tables):
            layer_of(getattr(self, column.name)).settle()

    def bookings_of_event(self, event_id: UUID) -> Iterator[Booking]:
        """Every booking of the event, in no particular order; not copies."""
        return (booking for booking in self.bookings.values() if booking.event_id == event_id)

    def seats_of_event(self, event_id: UUID) -> list[SeatRow]:
        """Every seat of the event, sorted by id."""
        rows = [row for (of_event, _), row in self.seats.items() if of_event == event_id]
        return sorted(rows, key=lambda row: row.seat.seat_id)


def layer_of(table: MutableMapping[Any, Any]) -> Layer[Any, Any]:
    """The table as the layer that it is inside a unit of work."""
    return cast("Layer[Any, Any]", table)


def answer_key(key: IdempotencyKey) -> AnswerKey:
    """The key within its scope."""
    return key.user_id, key.operation, key.key


def copy_of(booking: Booking) -> Booking:
    """A booking of one's own, as it would come back from a database: nothing new is recorded on it."""
    payments = {payment_id: evolve(payment) for payment_id, payment in booking.payments.items()}
    return evolve(booking, payments=payments, new_events=[], new_history=[])
