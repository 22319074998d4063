"""The paths under /api/v1/bookings: reserve, show, list, cancel."""

from typing import Any, Final

from booking_api.http.flask_app import REPLAYED_HEADER
from booking_api.openapi.examples import CANCELLED, CONFIRMED, NO_PAGE, ORDER, PAGE, PENDING, shown
from booking_api.openapi.headers import parameters
from booking_api.openapi.operations import guarded, json_success, link
from booking_api.openapi.schemas import ref
from booking_api.routes.bookings import BOOKINGS
from booking_core.domain.policies import MAX_PENDING, MAX_SEATS

TAG: Final = {"name": "Bookings", "description": "The bookings of a customer: reserve, show, list, cancel."}

_ID: Final = "$response.body#/data/bookingId"
_SHOW: Final = link("get_booking", "Show this booking; repeat until it is CONFIRMED or CANCELLED.", bookingId=_ID)
_CANCEL: Final = link("cancel_booking", "Cancel this booking.", bookingId=_ID)
_ITS_EVENT: Final = link("list_seats", "The seats of its event.", eventId="$response.body#/data/eventId")
_TICKET: Final = link("ticket_svg", "The ticket, once it is CONFIRMED.", bookingId=_ID)
_AGAIN: Final = {
    "operationId": "create_booking",
    "description": "The same seats again, which are available now.",
    "requestBody": {
        "eventId": "$response.body#/data/eventId",
        "seatIds": ["$response.body#/data/seats/0/seatId"],
    },
}

_CREATE: Final = guarded(
    "create_booking",
    (
        "Reserve seats",
        f"Holds all of the seats, or none: up to {MAX_SEATS} seats of one event, at the present prices, until "
        f"`expiresAt`. A customer has at most {MAX_PENDING} bookings that wait for payment. Pay at the Payment Service "
        "with the `bookingId`, then get the booking until it is CONFIRMED. Without an `Idempotency-Key`, a repeated "
        "request may hold more seats, or be rejected because of the seats of the first.\n\n"
        "A request is rejected for the first of these reasons: token, form of the request, TOO_MANY_SEATS, "
        "EVENT_NOT_FOUND, EVENT_NOT_ON_SALE, SEAT_NOT_FOUND, PENDING_LIMIT_REACHED, SEAT_ALREADY_RESERVED.",
    ),
    tag=TAG["name"],
    parameters=parameters("idempotencyKey"),
    body=ref("NewBooking"),
    successes={
        "201": json_success(
            "The seats are held.",
            ref("Booking"),
            {"held": shown(PENDING)},
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
    successes={
        "200": json_success(
            "A page of your bookings.",
            {"type": "array", "items": ref("Booking"), "maxItems": 100},
            {
                "one": shown([CONFIRMED], pagination=PAGE),
                "none": shown([], pagination=NO_PAGE),
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
        "With its refunds, if any. After a reservation, repeat until it is CONFIRMED or CANCELLED.",
    ),
    tag=TAG["name"],
    parameters=parameters("bookingId"),
    successes={
        "200": json_success(
            "The booking.",
            ref("Booking"),
            {
                "pending": shown(PENDING),
                "confirmed": shown(CONFIRMED),
                "cancelled": shown(CANCELLED),
            },
            links={"ticket": _TICKET, "cancel": _CANCEL, "seats": _ITS_EVENT},
        )
    },
    codes=("BOOKING_NOT_FOUND", "NOT_FOUND"),
)

_DELETE: Final = guarded(
    "cancel_booking",
    (
        "Cancel a booking",
        "Releases its seats at once. A PENDING booking costs nothing; a CONFIRMED one is refunded in full if its event "
        "starts more than 24 hours from now, otherwise not at all. Cancelling a booking again changes nothing and "
        "returns the booking.",
    ),
    tag=TAG["name"],
    parameters=parameters("bookingId"),
    successes={
        "200": json_success(
            "The booking, which is CANCELLED.",
            ref("Booking"),
            {"refunded": shown(CANCELLED)},
            links={"booking": _SHOW, "again": _CANCEL, "seats": _ITS_EVENT, "reserveAgain": _AGAIN},
        )
    },
    codes=("BOOKING_NOT_FOUND", "NOT_FOUND", "PAYMENT_IN_PROGRESS", "BOOKING_NOT_CANCELLABLE", "CATALOG_UNAVAILABLE"),
)

PATHS: Final[dict[str, Any]] = {
    BOOKINGS: {"post": _CREATE},
    f"{BOOKINGS}/my": {"get": _LIST},
    f"{BOOKINGS}/{{bookingId}}": {"get": _GET, "delete": _DELETE},
}
