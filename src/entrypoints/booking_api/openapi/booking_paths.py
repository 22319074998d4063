"""Under /api/v1/bookings: reserve, look, cancel."""

from typing import Any, Final

from booking_api.http.responses import REPLAYED_HEADER
from booking_api.openapi.headers import parameters
from booking_api.openapi.operations import answer, guarded, link
from booking_api.openapi.samples import CANCELLED, CONFIRMED, NO_PAGE, ORDER, PAGE, PENDING, said
from booking_api.openapi.shapes import ref
from booking_api.routes.bookings import BOOKINGS
from booking_core.domain.policies import MAX_PENDING, MAX_SEATS

TAG: Final = {"name": "Bookings", "description": "A customer's own: reserve seats, look, cancel."}

_ID: Final = "$response.body#/data/bookingId"
_SHOW: Final = link("get_booking", "Look at this booking; ask until it is CONFIRMED or CANCELLED.", bookingId=_ID)
_CANCEL: Final = link("cancel_booking", "Cancel this booking.", bookingId=_ID)
_ITS_EVENT: Final = link("list_seats", "The seats of its event.", eventId="$response.body#/data/eventId")
_TICKET: Final = link("ticket_svg", "The ticket, once it is CONFIRMED.", bookingId=_ID)
_AGAIN: Final = {
    "operationId": "create_booking",
    "description": "The same seats again, which are free now.",
    "requestBody": {
        "eventId": "$response.body#/data/eventId",
        "seatIds": ["$response.body#/data/seats/0/seatId"],
    },
}

_CREATE: Final = guarded(
    "create_booking",
    (
        "Reserve seats",
        f"Holds all of the seats, or none: up to {MAX_SEATS} seats of one event, at the prices of this moment, until "
        f"`expiresAt`. A customer has at most {MAX_PENDING} bookings that wait for payment. Pay at the Payment Service "
        "with the `bookingId`, then ask for the booking until it is CONFIRMED. Without an `Idempotency-Key`, sending "
        "the request again may hold other seats, or be refused for the seats of the first.\n\n"
        "What is refused is refused for the first of these reasons: token, form of the request, TOO_MANY_SEATS, "
        "EVENT_NOT_FOUND, EVENT_NOT_ON_SALE, SEAT_NOT_FOUND, PENDING_LIMIT_REACHED, SEAT_ALREADY_RESERVED.",
    ),
    tag=TAG["name"],
    parameters=parameters("idempotencyKey"),
    body=ref("NewBooking"),
    answers={
        "201": answer(
            "The seats are held.",
            ref("Booking"),
            {"held": said(PENDING)},
            more_headers=(REPLAYED_HEADER,),
            links={"booking": _SHOW, "cancel": _CANCEL, "seats": _ITS_EVENT},
        )
    },
    codes=(
        *("TOO_MANY_SEATS", "EVENT_NOT_FOUND", "EVENT_NOT_ON_SALE", "SEAT_NOT_FOUND"),
        *("PENDING_LIMIT_REACHED", "SEAT_ALREADY_RESERVED"),
        *("IDEMPOTENCY_KEY_REUSED", "IDEMPOTENCY_IN_PROGRESS", "CATALOG_UNAVAILABLE"),
    ),
)
_CREATE["requestBody"]["content"]["application/json"]["examples"] = {"two": {"summary": "Two seats", "value": ORDER}}

_LIST: Final = guarded(
    "list_bookings",
    ("Your bookings", "Newest first, in pages. A page past the last one is empty. Unknown parameters are ignored."),
    tag=TAG["name"],
    parameters=parameters("status", "page", "limit"),
    answers={
        "200": answer(
            "A page of your bookings.",
            {"type": "array", "items": ref("Booking"), "maxItems": 100},
            {
                "one": said([CONFIRMED], pagination=PAGE),
                "none": said([], pagination=NO_PAGE),
            },
            beside={"pagination": ref("Pagination")},
            links={
                "newest": link("get_booking", "The newest of them.", bookingId="$response.body#/data/0/bookingId"),
                "cancelNewest": link("cancel_booking", "Cancel it.", bookingId="$response.body#/data/0/bookingId"),
            },
        )
    },
    codes=("VALIDATION_FAILED",),
)

_GET: Final = guarded(
    "get_booking",
    (
        "One of your bookings",
        "With its refunds, if there are any. After a reservation, ask until it is CONFIRMED or CANCELLED.",
    ),
    tag=TAG["name"],
    parameters=parameters("bookingId"),
    answers={
        "200": answer(
            "The booking.",
            ref("Booking"),
            {"pending": said(PENDING), "confirmed": said(CONFIRMED), "cancelled": said(CANCELLED)},
            links={"ticket": _TICKET, "cancel": _CANCEL, "seats": _ITS_EVENT},
        )
    },
    codes=("BOOKING_NOT_FOUND", "NOT_FOUND"),
)

_DELETE: Final = guarded(
    "cancel_booking",
    (
        "Cancel a booking",
        "Frees its seats at once. A PENDING booking costs nothing; a CONFIRMED one is refunded in full when its event "
        "starts more than 24 hours from now, else not at all. Cancelling again what you have cancelled changes nothing "
        "and is answered with the booking.",
    ),
    tag=TAG["name"],
    parameters=parameters("bookingId"),
    answers={
        "200": answer(
            "The booking, which is CANCELLED.",
            ref("Booking"),
            {"refunded": said(CANCELLED)},
            links={"booking": _SHOW, "again": _CANCEL, "seats": _ITS_EVENT, "reserveAgain": _AGAIN},
        )
    },
    codes=("BOOKING_NOT_FOUND", "NOT_FOUND", "PAYMENT_IN_PROGRESS", "BOOKING_NOT_CANCELLABLE"),
)

PATHS: Final[dict[str, Any]] = {
    BOOKINGS: {"post": _CREATE},
    f"{BOOKINGS}/my": {"get": _LIST},
    f"{BOOKINGS}/{{bookingId}}": {"get": _GET, "delete": _DELETE},
}
