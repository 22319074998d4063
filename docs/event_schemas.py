"""JSON Schemas (2020-12) of the events: the published ones from their classes, the consumed ones from the parser."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final, get_args, get_origin, get_type_hints
from uuid import UUID

from event_examples import consumed_example, published_example

from booking_core.domain.errors import MalformedMessage
from booking_core.domain.events import BookingCancelled, BookingExpired, DomainEvent
from booking_core.domain.policies import MAX_SEATS
from booking_core.domain.values import MAX_AMOUNT, MAX_TEXT, CancellationReason, Money
from booking_core.messages.envelopes import VERSION, event_type_of, payload_of, to_json
from booking_core.messages.payment_messages import parse

Schema = dict[str, Any]

_UUID: Final[Schema] = {"type": "string", "format": "uuid"}
_TEXT: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT}
_TIME: Final[Schema] = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{6})?Z$",
}
_AMOUNT: Final[Schema] = {"type": "number", "minimum": 0, "exclusiveMaximum": int(MAX_AMOUNT)}
_CURRENCY: Final[Schema] = {"type": "string", "pattern": "^[A-Z]{3}$"}
_CURRENCY_AS_SENT: Final[Schema] = {"type": "string", "pattern": "^[A-Za-z]{3}$"}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_SEATS: Final[Schema] = {"type": "array", "items": _UUID, "minItems": 1, "maxItems": MAX_SEATS, "uniqueItems": True}
_REASON_OR_NONE: Final[Schema] = {"type": ["string", "null"]}
_OF_TYPE: Final[Mapping[Any, Schema]] = {UUID: _UUID, str: _TEXT, datetime: _TIME, int: _COUNT}

# Beyond the types: spec 8.3 closes the set of reasons, and an expired booking has only one.
_REASONS: Final[Mapping[type[DomainEvent], frozenset[Enum]]] = {
    BookingCancelled: frozenset(CancellationReason) - {CancellationReason.EVENT_CANCELLED},
    BookingExpired: frozenset({CancellationReason.EXPIRED}),
}


def published_schema(kind: type[DomainEvent]) -> Schema:
    """The schema of a published event's class. Raises TypeError for a field without a known type."""
    example = published_example(kind)
    event_type = event_type_of(example)
    envelope = {
        "eventId": _UUID,
        "eventType": {"const": event_type},
        "timestamp": _TIME,
        "version": {"const": VERSION},
        "correlationId": _TEXT,
    }
    payload = {name: _published_field(kind, name) for name in payload_of(example)}
    return _schema(event_type, envelope, list(envelope), payload, list(payload))


def consumed_schema(event_type: str) -> Schema:
    """The schema of a consumed message: a field is required if the parser rejects a message without it."""
    envelope = {
        "eventId": _UUID,
        "eventType": {"const": event_type},
        "timestamp": _TEXT,
        "version": {"type": "string", "pattern": r"^1\.[0-9]{1,9}$"},
        "correlationId": _TEXT,
    }
    known = {
        "bookingId": _UUID,
        "paymentId": _TEXT,
        "amount": _AMOUNT,
        "currency": _CURRENCY_AS_SENT,
        "reason": _REASON_OR_NONE,
    }
    example = consumed_example(event_type)
    parse(to_json(example).encode())  # else nothing below would mean anything
    payload = {name: known[name] for name in example["payload"]}

    def without_in_payload(name: str) -> dict[str, Any]:
        return {**example, "payload": _without(example["payload"], name)}

    return _schema(
        event_type,
        envelope,
        _missed(envelope, lambda name: _without(example, name)),
        payload,
        _missed(payload, without_in_payload),
    )


def _schema(
    event_type: str,
    envelope: Mapping[str, Schema],
    needed: list[str],
    payload: Mapping[str, Schema],
    required: list[str],
) -> Schema:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:booking-core:event:{event_type}:{VERSION}",
        "title": event_type,
        "type": "object",
        "required": [*needed, "payload"],
        "properties": {**envelope, "payload": {"type": "object", "required": required, "properties": dict(payload)}},
    }


def _published_field(kind: type[DomainEvent], name: str) -> Schema:
    """The schema of a field: of the attribute with its name, or of the amount that it is a part of."""
    hints = get_type_hints(kind)
    hint = hints.get(re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name))
    if isinstance(hint, type) and issubclass(hint, Enum):
        allowed = _REASONS.get(kind, frozenset(hint))
        return {"enum": [each.value for each in hint if each in allowed]}
    if get_origin(hint) is tuple and get_args(hint) == (UUID, ...):
        return _SEATS
    if hint in _OF_TYPE:
        return _OF_TYPE[hint]
    if Money in hints.values() and name == "currency":
        return _CURRENCY
    if Money in hints.values() and isinstance(payload_of(published_example(kind))[name], Decimal):
        return _AMOUNT
    raise TypeError(f"{kind.__name__} has the field {name} of an unknown type")


def _missed(names: Mapping[str, Schema], without: Callable[[str], dict[str, Any]]) -> list[str]:
    return [name for name in names if not _is_understood(without(name))]


def _without(fields: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key != name}


def _is_understood(message: Mapping[str, Any]) -> bool:
    try:
        parse(to_json(message).encode())
    except MalformedMessage:
        return False
    return True
