"""The paths of tickets: the QR code of a confirmed booking, and the verification of a ticket."""

from typing import Any, Final

from booking_api.openapi.examples import BOOKING_ID, CONFIRMED, EVENT, EVENT_ID, SEATS, TICKET, shown
from booking_api.openapi.headers import headers, parameters
from booking_api.openapi.operations import guarded, json_success
from booking_api.openapi.schemas import COMMON, TICKET_REFERENCE, Schema, object_schema, one_of, ref
from booking_api.routes.bookings import BOOKINGS
from booking_api.routes.tickets import TICKETS, VERIFY
from booking_core import TicketStatus

TAG: Final = {"name": "Tickets", "description": "Tickets to show at the door, and their verification there."}

_SCANNED: Final = {"ticketReference": TICKET}
_SEAT_NAMES: Final = ("seatId", "row", "number")
_VALID: Final[dict[str, Any]] = {
    "status": "VALID",
    "ticketReference": TICKET,
    "bookingId": BOOKING_ID,
    "eventId": EVENT_ID,
    "eventName": EVENT["name"],
    "startsAt": EVENT["startsAt"],
    "confirmedAt": CONFIRMED["confirmedAt"],
    "seats": [{name: seat[name] for name in _SEAT_NAMES} for seat in SEATS],
}
_ENDED: Final[dict[str, Any]] = {name: _VALID[name] for name in list(_VALID)[1:6]} | {
    "status": "CANCELLED",
    "cancellationReason": "USER_CANCELLED",
    "cancelledAt": "2026-01-02T08:15:00.000310Z",
}

SCHEMAS: Final[dict[str, Schema]] = {
    "ScannedTicket": object_schema(
        "The text that was scanned or typed.",
        {
            "ticketReference": {
                "type": "string",
                "description": "Any text. Case, blanks and dashes do not matter; O counts as 0, I and L count as 1. "
                "A text that is not a ticket of this service is UNKNOWN.",
            }
        },
    )
    | {"additionalProperties": False, "examples": [_SCANNED]},
    "TicketStatus": one_of(TicketStatus, "Only a VALID ticket permits entry."),
    "TicketSeat": object_schema("A seat of the ticket.", {name: COMMON[name] for name in _SEAT_NAMES}),
    "TicketCheck": object_schema(
        "The present status of a ticket; never who booked, or what was paid. For UNKNOWN there is no other field.",
        {
            "status": ref("TicketStatus"),
            "ticketReference": TICKET_REFERENCE,
            "bookingId": COMMON["bookingId"],
            "eventId": COMMON["eventId"],
            "eventName": COMMON["name"],
            "startsAt": COMMON["startsAt"],
            "confirmedAt": COMMON["confirmedAt"],
            "seats": {
                "type": "array",
                "items": ref("TicketSeat"),
                "minItems": 1,
                "description": "Of a VALID ticket, by row and number as people read them.",
            },
            "cancellationReason": ref("CancellationReason"),
            "cancelledAt": COMMON["cancelledAt"],
        },
        optional=(
            *("ticketReference", "bookingId", "eventId", "eventName", "startsAt"),
            *("confirmedAt", "seats", "cancellationReason", "cancelledAt"),
        ),
    ),
}


def _image(kind: str, content_type: str, schema: Schema, text: str) -> dict[str, Any]:
    return guarded(
        f"ticket_{kind}",
        (
            f"The ticket as {kind.upper()}",
            f"The QR code of the ticket reference of a CONFIRMED booking. {text} Show it only at the "
            "door: it permits its bearer to enter.",
        ),
        tag=TAG["name"],
        parameters=parameters("bookingId"),
        successes={
            "200": {
                "description": "The image.",
                "headers": headers("Content-Disposition", "Content-Security-Policy"),
                "content": {content_type: {"schema": schema}},
            }
        },
        codes=("BOOKING_NOT_FOUND", "NOT_FOUND", "TICKET_NOT_AVAILABLE"),
    )


_VERIFY: Final = guarded(
    "verify_ticket",
    (
        "Verify a ticket",
        f"For the staff at the door: requires the permission `{VERIFY}`. It changes nothing and does not use up the "
        "ticket: an `Idempotency-Key` has no effect.",
    ),
    tag=TAG["name"],
    parameters=parameters(),
    body=ref("ScannedTicket"),
    permission=VERIFY,
    successes={
        "200": json_success(
            "The present status of the ticket.",
            ref("TicketCheck"),
            {
                "valid": shown(_VALID),
                "cancelled": shown(_ENDED),
                "unknown": shown({"status": "UNKNOWN"}),
            },
        )
    },
)

PATHS: Final[dict[str, Any]] = {
    f"{BOOKINGS}/{{bookingId}}/ticket.svg": {
        "get": _image("svg", "image/svg+xml", {"type": "string"}, "It fits any size.")
    },
    f"{BOOKINGS}/{{bookingId}}/ticket.png": {"get": _image("png", "image/png", {}, "About 400 pixels wide.")},
    f"{TICKETS}/verify": {"post": _VERIFY},
}
