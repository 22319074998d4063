"""The schemas of requests and responses (JSON Schema 2020-12). Enumerations and limits are those of the domain."""

from collections.abc import Iterable
from enum import Enum
from typing import Any, Final

from booking_api.openapi import examples
from booking_core.domain.lifecycle import Status
from booking_core.domain.payments import RefundStatus
from booking_core.domain.policies import MAX_SEATS
from booking_core.domain.values import (
    MAX_AMOUNT,
    MAX_PRICE,
    MAX_TEXT,
    CancellationReason,
    RefundReason,
    SaleStatus,
    SeatStatus,
)

Schema = dict[str, Any]


def ref(name: str) -> Schema:
    """The schema of that name."""
    return {"$ref": f"#/components/schemas/{name}"}


def object_schema(description: str, properties: dict[str, Any], *, optional: Iterable[str] = ()) -> Schema:
    """An object; every property is required except the optional ones."""
    maybe = set(optional)
    return {
        "type": "object",
        "description": description,
        "required": [name for name in properties if name not in maybe],
        "properties": properties,
    }


def enveloped(data: Schema, **beside: Schema) -> Schema:
    """The body of a success; `beside` stands next to `data`."""
    return {
        "type": "object",
        "required": ["success", "data", *beside],
        "properties": {"success": {"const": True}, "data": data, **beside},
    }


def one_of(kind: type[Enum], description: str) -> Schema:
    """A value of the enumeration."""
    return {"type": "string", "enum": [each.value for each in kind], "description": description}


def _id(description: str) -> Schema:
    return {"type": "string", "format": "uuid", "description": description}


def _count(description: str, least: int = 0) -> Schema:
    return {"type": "integer", "minimum": least, "description": description}


def _time(description: str) -> Schema:
    return {"type": "string", "format": "date-time", "pattern": "Z$", "description": f"{description} UTC."}


def _money(description: str, below: int) -> Schema:
    return {"type": "number", "minimum": 0, "exclusiveMaximum": below, "description": description}


_AMOUNT: Final = _money("With the currency's decimals.", int(MAX_AMOUNT))
_CURRENCY: Final[Schema] = {"type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO 4217."}
COMMON: Final[dict[str, Schema]] = {
    "eventId": _id("The event."),
    "name": {"type": "string", "maxLength": MAX_TEXT, "description": "The event's name."},
    "startsAt": _time("The start of the event; from then on it is not on sale."),
    "bookingId": _id("The booking."),
    "confirmedAt": _time("When the payment was accepted."),
    "cancelledAt": _time("When it ended."),
    "seatId": _id("The seat."),
    "row": {"type": "string", "maxLength": MAX_TEXT, "description": "The row's name."},
    "number": {"type": "integer", "minimum": 0, "exclusiveMaximum": 2**31, "description": "The number in its row."},
}
"""Properties of several schemas, each described once."""

_SEAT: Final[dict[str, Any]] = {
    "seatId": COMMON["seatId"],
    "row": COMMON["row"],
    "number": COMMON["number"],
    "price": _money("In the event's currency.", int(MAX_PRICE)),
}
_SOMETIMES: Final = (
    *("processingStartedAt", "confirmedAt", "ticketReference"),
    *("cancelledAt", "cancellationReason", "refunds", "refund"),
)

TICKET_REFERENCE: Final[Schema] = {
    "type": "string",
    "pattern": "^[0-9A-HJKMNP-TV-Z]{28}$",
    "description": "Opaque and unguessable; the content of the ticket's QR code.",
}

SCHEMAS: Final[dict[str, Schema]] = {
    "BookingStatus": one_of(Status, "A PENDING or PROCESSING booking is shown as CANCELLED from its deadline on."),
    "CancellationReason": one_of(CancellationReason, "Why the booking ended."),
    "EventStatus": one_of(SaleStatus, "Only an event that is ON_SALE, and has not started, can be reserved."),
    "SeatStatus": one_of(SeatStatus, "The present status: only a reservation is certain."),
    "RefundReason": one_of(RefundReason, "Why the payment is refunded."),
    "RefundStatus": one_of(RefundStatus, "The status that the Payment Service has reported; COMPLETED is final."),
    "Event": object_schema(
        "An event with seats to book.",
        {
            "eventId": COMMON["eventId"],
            "name": COMMON["name"],
            "startsAt": COMMON["startsAt"],
            "status": ref("EventStatus"),
            "currency": _CURRENCY,
        },
    ),
    "BookedSeat": object_schema("A seat at the price it had when it was reserved.", _SEAT),
    "Seat": object_schema(
        "A seat and its status; never who holds it.",
        _SEAT | {"status": ref("SeatStatus")},
    ),
    "SeatMap": object_schema(
        "All seats of an event, by row and number as people read them.",
        {"eventId": COMMON["eventId"], "currency": _CURRENCY, "seats": {"type": "array", "items": ref("Seat")}},
    ),
    "CompactSeatMap": object_schema(
        "The statuses of all seats of an event, in the order of the seats in the full form with the same layout.",
        {
            "eventId": COMMON["eventId"],
            "layout": {"type": "string", "description": "As the header `Seat-Layout` of the full form."},
            "statuses": {"type": "string", "pattern": "^[AHS]*$", "description": "AVAILABLE, HELD, SOLD."},
        },
    ),
    "Refund": object_schema(
        "The refund of one payment.",
        {
            "paymentId": {"type": "string", "minLength": 1, "maxLength": MAX_TEXT, "description": "The payment."},
            "amount": _AMOUNT,
            "currency": _CURRENCY,
            "reason": ref("RefundReason"),
            "status": ref("RefundStatus"),
        },
    ),
    "Booking": object_schema(
        "A booking as its owner sees it. Fields that do not apply are absent.",
        {
            "bookingId": COMMON["bookingId"],
            "eventId": COMMON["eventId"],
            "status": ref("BookingStatus"),
            "totalAmount": _AMOUNT,
            "currency": _CURRENCY,
            "createdAt": _time("When the seats were reserved."),
            "expiresAt": _time("The end of the time to pay; then the booking ends, unless a payment is in progress."),
            "seats": {
                "type": "array",
                "items": ref("BookedSeat"),
                "minItems": 1,
                "maxItems": MAX_SEATS,
                "description": "By row and number as people read them.",
            },
            "processingStartedAt": _time("When the payment began."),
            "confirmedAt": COMMON["confirmedAt"],
            "ticketReference": TICKET_REFERENCE,
            "cancelledAt": COMMON["cancelledAt"],
            "cancellationReason": ref("CancellationReason"),
            "refunds": {
                "type": "array",
                "items": ref("Refund"),
                "minItems": 1,
                "description": "Every refund, in the order of the requests.",
            },
            "refund": ref("Refund")
            | {"description": "The refund of the payment that confirmed the booking, else the latest."},
        },
        optional=_SOMETIMES,
    ),
    "Pagination": object_schema(
        "The position of a page in its list.",
        {
            "page": _count("This page.", 1),
            "limit": _count("The most entries that a page has.", 1),
            "total": _count("Entries on all pages."),
            "totalPages": _count("0 if the list is empty."),
        },
    ),
    "ClosedEvent": object_schema(
        "An event that was cancelled.",
        {
            "eventId": COMMON["eventId"],
            "status": {"const": SaleStatus.CANCELLED.value},
            "affectedBookings": _count("Bookings that end, or have ended, with the event."),
            "remaining": _count("Those of them that have not ended yet; the worker ends them."),
        },
    ),
    "NewBooking": object_schema(
        "The seats to reserve: all of them, or none.",
        {
            "eventId": COMMON["eventId"],
            "seatIds": {
                "type": "array",
                "items": COMMON["seatId"],
                "minItems": 1,
                "maxItems": MAX_SEATS,
                "uniqueItems": True,
                "description": f"Seats of that event. More than {MAX_SEATS} of them are TOO_MANY_SEATS (422).",
            },
        },
    )
    | {"additionalProperties": False, "examples": [examples.ORDER]},
    "EventCancellation": object_schema(
        "Why an event is cancelled.",
        {
            "reason": {
                "type": "string",
                "minLength": 1,
                "maxLength": MAX_TEXT,
                "pattern": "^[^\\u0000]*$",
                "description": "For people; it is published with `event.cancelled`. No NUL character.",
            }
        },
    )
    | {"additionalProperties": False, "examples": [{"reason": "The hall is flooded"}]},
}
