"""The messages that we publish: the envelope and the payload of every domain event, as JSON (design, section 6).

On the wire, names are camelCase, ids are text, times are RFC 3339 in UTC with `Z`, and amounts are JSON numbers with
the currency's decimals. Within version 1.0 fields are only ever added.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from json import dumps
from json.encoder import encode_basestring_ascii
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from attrs import frozen

from booking_core.domain.events import (
    BookingCancelled,
    BookingConfirmed,
    BookingCreated,
    BookingEvent,
    BookingExpired,
    DomainEvent,
    EventCancelled,
    RefundRequested,
)
from booking_core.domain.identity import slot_of_booking, slot_of_event

VERSION: Final = "1.0"
_USER: Final = re.compile(r'"userId"\s*:\s*"(\\.|[^"\\])*"')
E = TypeVar("E", bound=DomainEvent)
Payload = dict[str, Any]


def _created(event: BookingCreated) -> Payload:
    return {
        "bookingId": str(event.booking_id),
        "userId": event.user_id,
        "eventId": str(event.event_id),
        "seatIds": [str(seat_id) for seat_id in event.seat_ids],
        "totalAmount": event.total.written,
        "currency": event.total.currency,
        "expiresAt": rfc3339(event.expires_at),
    }


def _confirmed(event: BookingConfirmed) -> Payload:
    return {
        "bookingId": str(event.booking_id),
        "userId": event.user_id,
        "ticketReference": event.ticket_reference,
        "confirmedAt": rfc3339(event.confirmed_at),
    }


def _cancelled(event: BookingCancelled) -> Payload:
    return {
        "bookingId": str(event.booking_id),
        "userId": event.user_id,
        "reason": event.reason.value,
        "releasedSeatIds": [str(seat_id) for seat_id in event.released_seat_ids],
    }


def _refund_requested(event: RefundRequested) -> Payload:
    return {
        "bookingId": str(event.booking_id),
        "userId": event.user_id,
        "paymentId": event.payment_id,
        "amount": event.refund.written,
        "currency": event.refund.currency,
        "reason": event.reason.value,
    }


def _event_cancelled(event: EventCancelled) -> Payload:
    return {
        "eventId": str(event.event_id),
        "reason": event.reason,
        "cancelledAt": rfc3339(event.cancelled_at),
        "affectedBookings": event.affected_bookings,
    }


@frozen
class _Published(Generic[E]):
    event_type: str
    kind: type[E]
    payload: Callable[[E], Payload]


_TABLE: Final[Sequence[_Published[Any]]] = (
    _Published("booking.created", BookingCreated, _created),
    _Published("booking.confirmed", BookingConfirmed, _confirmed),
    _Published("booking.cancelled", BookingCancelled, _cancelled),
    _Published("booking.expired", BookingExpired, _cancelled),
    _Published("booking.refund_requested", RefundRequested, _refund_requested),
    _Published("event.cancelled", EventCancelled, _event_cancelled),
)
_OF_KIND: Final[Mapping[type[DomainEvent], _Published[Any]]] = {each.kind: each for each in _TABLE}

PUBLISHED: Final[Mapping[str, type[DomainEvent]]] = {each.event_type: each.kind for each in _TABLE}
"""Every event type that we publish, by its name on the wire."""


def event_type_of(event: DomainEvent) -> str:
    """The name of the event on the wire."""
    return _OF_KIND[type(event)].event_type


def key_of(event: DomainEvent) -> UUID:
    """The message key: the booking's id, and for `event.cancelled` the event's. Messages of one key stay in order."""
    if isinstance(event, BookingEvent):
        return event.booking_id
    if isinstance(event, EventCancelled):
        return event.event_id
    raise NotImplementedError(type(event))


def slot_of(event: DomainEvent) -> int:
    """The slot of the key (see `booking_core.domain.identity`)."""
    return slot_of_event(event.event_id) if isinstance(event, EventCancelled) else slot_of_booking(key_of(event))


def payload_of(event: DomainEvent) -> Payload:
    """The payload, with amounts as Decimal."""
    return _OF_KIND[type(event)].payload(event)


def envelope_of(event: DomainEvent) -> dict[str, Any]:
    """The whole message, with amounts as Decimal."""
    published = _OF_KIND[type(event)]
    return {
        "eventId": str(event.message_id),
        "eventType": published.event_type,
        "timestamp": rfc3339(event.timestamp),
        "version": VERSION,
        "correlationId": event.correlation_id,
        "payload": published.payload(event),
    }


def encode(event: DomainEvent) -> str:
    """The whole message as JSON text."""
    return to_json(envelope_of(event))


def rfc3339(moment: datetime) -> str:
    """The time in UTC with `Z`, to the microsecond where there are any."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def to_json(value: Any) -> str:
    """Compact JSON of mappings, sequences, text, whole numbers, booleans, None and Decimal; keys keep their order.

    A Decimal keeps its written decimals (`150.00`). Raises TypeError for anything else: a float would lose digits.
    """
    if isinstance(value, str):
        return encode_basestring_ascii(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if value is None or isinstance(value, bool | int):
        return dumps(value)
    if isinstance(value, Mapping):
        return "{" + ",".join([f"{encode_basestring_ascii(key)}:{to_json(each)}" for key, each in value.items()]) + "}"
    if isinstance(value, Sequence):
        return "[" + ",".join(map(to_json, value)) + "]"
    raise TypeError(f"{type(value).__name__} has no place in our JSON")


def with_user(body: str, pseudonym: str) -> str:
    """The message with another `userId`. A text that looks like the field cannot match: its quotes are escaped."""
    return _USER.sub(f'"userId":{encode_basestring_ascii(pseudonym)}', body)
