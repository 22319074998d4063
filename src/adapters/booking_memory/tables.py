"""The tables: rows are replaced and never changed in place."""

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from datetime import datetime
from typing import Any, TypeVar, cast
from uuid import UUID

from attrs import define, evolve, field, fields, frozen

from booking_core.domain.booking import Booking
from booking_core.domain.events import DomainEvent
from booking_core.domain.history import HistoryEntry
from booking_core.domain.reservation import IdempotencyKey
from booking_core.domain.values import CancellationReason, Seat, TicketedEvent
from booking_core.messages.envelopes import encode, event_type_of, key_of, slot_of
from booking_core.ports import Closure, OutboxRecord, Page, Paged

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")


class Layer(MutableMapping[K, V]):
    """A mapping that reads through to `below` and keeps its own writes until `settle`.

    Rows committed below are visible at once, as under READ COMMITTED. Iteration follows the order below, then the order
    of the new keys.
    """

    def __init__(self, below: MutableMapping[K, V]) -> None:
        self._below = below
        self._written: dict[K, V] = {}
        self._removed: set[K] = set()

    @property
    def written(self) -> Mapping[K, V]:
        """The rows written here and not removed again."""
        return self._written

    @property
    def below(self) -> Mapping[K, V]:
        """The committed rows, without the changes of this layer."""
        return self._below

    def __getitem__(self, key: K) -> V:
        if key in self._written:
            return self._written[key]
        if key in self._removed:
            raise KeyError(key)
        return self._below[key]

    def __setitem__(self, key: K, value: V) -> None:
        self._removed.discard(key)
        self._written[key] = value

    def __delitem__(self, key: K) -> None:
        if key not in self:
            raise KeyError(key)
        self._written.pop(key, None)
        self._removed.add(key)

    def __iter__(self) -> Iterator[K]:
        yield from (key for key in self._below if key not in self._removed)
        yield from (key for key in self._written if key not in self._below)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def settle(self) -> None:
        """Apply the changes to the mapping below."""
        for key in self._removed:
            self._below.pop(key, None)
        self._below.update(self._written)


SeatKey = tuple[UUID, UUID]
"""Ids of event and seat."""
ResponseKey = tuple[str, str, str]
"""User, operation and key."""


@frozen(kw_only=True)
class EventRow:
    """An event as it was last put. `ages`: it came from a Catalog and must be refreshed in time."""

    event: TicketedEvent
    ages: bool
    complete: bool
    refreshed_at: datetime


@frozen(kw_only=True)
class SeatRow:
    """A seat; a withdrawn seat cannot be reserved."""

    seat: Seat
    withdrawn: bool = False


@frozen(kw_only=True)
class InboxRow:
    """A processed message: what its id names, when it came, and whether pruning keeps it."""

    content: tuple[UUID, str, str]
    received_at: datetime
    retained: bool = False


@frozen(kw_only=True)
class ResponseRow:
    """A response stored under an idempotency key."""

    fingerprint: str
    text: str
    stored_at: datetime


@frozen(kw_only=True)
class OutboxRow:
    """A stored event, and when it was published."""

    record: OutboxRecord
    published_at: datetime | None = None


@define(kw_only=True)
class Tables:
    """All tables. Committed tables are plain dictionaries; a unit of work reads them through layers."""

    bookings: MutableMapping[UUID, Booking] = field(factory=dict)
    claims: MutableMapping[SeatKey, UUID] = field(factory=dict)
    history: MutableMapping[tuple[UUID, int], HistoryEntry] = field(factory=dict)
    outbox: MutableMapping[tuple[UUID, int], OutboxRow] = field(factory=dict)
    inbox: MutableMapping[UUID, InboxRow] = field(factory=dict)
    responses: MutableMapping[ResponseKey, ResponseRow] = field(factory=dict)
    events: MutableMapping[UUID, EventRow] = field(factory=dict)
    seats: MutableMapping[SeatKey, SeatRow] = field(factory=dict)
    closures: MutableMapping[UUID, Closure] = field(factory=dict)

    def layered(self) -> "Tables":
        """Return the same tables under the changes of one unit of work."""
        return Tables(**{column.name: Layer(getattr(self, column.name)) for column in fields(Tables)})

    def settle(self) -> None:
        """Apply the changes of these layers to the tables below."""
        for column in fields(Tables):
            layer_of(getattr(self, column.name)).settle()

    def bookings_of_event(self, event_id: UUID) -> Iterator[Booking]:
        """Return every booking of the event, in any order; not copies."""
        return (booking for booking in self.bookings.values() if booking.event_id == event_id)

    def ended_with(self, event_id: UUID) -> int:
        """Count the bookings that ended because the event was cancelled."""
        reasons = (booking.cancellation_reason for booking in self.bookings_of_event(event_id))
        return sum(reason is CancellationReason.EVENT_CANCELLED for reason in reasons)

    def seats_of_event(self, event_id: UUID) -> list[SeatRow]:
        """Return every seat of the event, sorted by id."""
        rows = [row for (of_event, _), row in self.seats.items() if of_event == event_id]
        return sorted(rows, key=lambda row: row.seat.seat_id)


def layer_of(table: MutableMapping[Any, Any]) -> Layer[Any, Any]:
    """Cast a table of a unit of work to its layer."""
    return cast("Layer[Any, Any]", table)


def response_key(key: IdempotencyKey) -> ResponseKey:
    """Return the key within its scope."""
    return key.user_id, key.operation, key.key


def copy_of(booking: Booking) -> Booking:
    """Copy a booking as a database would return it: without new events and history."""
    payments = {payment_id: evolve(payment) for payment_id, payment in booking.payments.items()}
    return evolve(booking, payments=payments, new_events=[], new_history=[])


def outbox_record(event: DomainEvent, traceparent: str | None = None) -> OutboxRecord:
    """Build the outbox record of an event, with the trace that it belongs to."""
    return OutboxRecord(
        slot=slot_of(event),
        key=key_of(event),
        sequence=event.sequence,
        message_id=event.message_id,
        event_type=event_type_of(event),
        correlation_id=event.correlation_id,
        recorded_at=event.timestamp,
        body=encode(event).encode(),
        traceparent=traceparent,
    )


def page_of(items: Iterable[T], page: Page) -> Paged[T]:
    """Cut a page out of all items."""
    everything = list(items)
    return Paged(items=everything[page.offset : page.offset + page.limit], total=len(everything))
