"""Tickets: the QR code of a confirmed booking, and what one is worth at the door."""

from typing import Any, Final

from booking_api.openapi.headers import headers, parameters
from booking_api.openapi.operations import answer, guarded
from booking_api.openapi.samples import BOOKING_ID, CONFIRMED, EVENT, EVENT_ID, SEATS, TICKET, said
from booking_api.openapi.shapes import COMMON, TICKET_REFERENCE, Schema, one_of, ref, thing
from booking_api.routes.bookings import BOOKINGS
from booking_api.routes.tickets import TICKETS, VERIFY
from booking_core import TicketStatus

TAG: Final = {"name": "Tickets", "description": "To show at the door, and for those who stand there."}

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
    "ScannedTicket": thing(
        "What was scanned or typed.",
        {
            "ticketReference": {
                "type": "string",
                "description": "Any text. Case, blanks and dashes do not matter, nor do O for 0, or I and L for 1. One "
                "that is no ticket of ours is UNKNOWN.",
            }
        },
    )
    | {"additionalProperties": False, "examples": [_SCANNED]},
    "TicketStatus": one_of(TicketStatus, "Let in a VALID one alone."),
    "TicketSeat": thing("A seat to be shown to.", {name: COMMON[name] for name in _SEAT_NAMES}),
    "TicketCheck": thing(
        "What a ticket is worth now; never who booked, or what was paid. Of an UNKNOWN one there is nothing else.",
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
                "description": "Of a VALID one, by row, number and id.",
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


def _image(kind: str, content_type: str, schema: Schema, told: str) -> dict[str, Any]:
    return guarded(
        f"ticket_{kind}",
        (
            f"The ticket as {kind.upper()}",
            f"The QR code of the ticket reference of a CONFIRMED booking. {told} Show it at the door, and to nobody "
            "else: "
            "whoever has it can enter.",
        ),
        tag=TAG["name"],
        parameters=parameters("bookingId"),
        answers={
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
        "What is a ticket worth?",
        f"For those at the door: needs the permission `{VERIFY}`. Asking does not use a ticket up, and changes "
        "nothing: "
        "an `Idempotency-Key` has no effect here.",
    ),
    tag=TAG["name"],
    parameters=parameters(),
    body=ref("ScannedTicket"),
    permission=VERIFY,
    answers={
        "200": answer(
            "What it is worth now.",
            ref("TicketCheck"),
            {"valid": said(_VALID), "cancelled": said(_ENDED), "unknown": said({"status": "UNKNOWN"})},
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
