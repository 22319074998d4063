"""Under /api/v1/events: what can be booked, and how an administrator calls it off."""

from typing import Any, Final

from booking_api.http.responses import REPLAYED_HEADER
from booking_api.openapi.headers import parameters
from booking_api.openapi.operations import answer, guarded, link
from booking_api.openapi.samples import CLOSED, EVENT, PAGE, SEAT_MAP, said
from booking_api.openapi.shapes import ref
from booking_api.routes.events import ADMIN, EVENTS

TAG: Final = {"name": "Events", "description": "What can be booked."}

_FIRST: Final = "$response.body#/data/0/eventId"
_ID: Final = "$response.body#/data/eventId"
_BOOK: Final = {
    "operationId": "create_booking",
    "description": "Reserve a seat of the map.",
    "requestBody": {"eventId": _ID, "seatIds": ["$response.body#/data/seats/0/seatId"]},
}

_LIST: Final = guarded(
    "list_events",
    ("Known events", "By start, in pages. An event is known once somebody has asked for it, or an operator loaded it."),
    tag=TAG["name"],
    parameters=parameters("page", "limit"),
    answers={
        "200": answer(
            "A page of events.",
            {"type": "array", "items": ref("Event"), "maxItems": 100},
            {"one": said([EVENT], pagination=PAGE)},
            beside={"pagination": ref("Pagination")},
            links={
                "event": link("get_event", "The first of them.", eventId=_FIRST),
                "seats": link("list_seats", "Its seats.", eventId=_FIRST),
            },
        )
    },
    codes=("VALIDATION_FAILED",),
)

_GET: Final = guarded(
    "get_event",
    ("One event", "As the Catalog knows it; CANCELLED once it was cancelled here."),
    tag=TAG["name"],
    parameters=parameters("eventId"),
    answers={
        "200": answer(
            "The event.",
            ref("Event"),
            {"on sale": said(EVENT)},
            links={"seats": link("list_seats", "Its seats.", eventId=_ID)},
        )
    },
    codes=("EVENT_NOT_FOUND", "NOT_FOUND", "CATALOG_UNAVAILABLE"),
)

_SEATS: Final = guarded(
    "list_seats",
    ("The seats of an event", "All of them, and whether they can be had at this moment; never who holds one."),
    tag=TAG["name"],
    parameters=parameters("eventId"),
    answers={"200": answer("The seats.", ref("SeatMap"), {"two": said(SEAT_MAP)}, links={"reserve": _BOOK})},
    codes=("EVENT_NOT_FOUND", "NOT_FOUND", "CATALOG_UNAVAILABLE"),
)

_CANCEL: Final = guarded(
    "cancel_event",
    (
        "Cancel an event",
        f"For administrators: needs the permission `{ADMIN}`. Once this is answered nobody can reserve the event any "
        "more; its bookings end soon after, and every payment of theirs is asked back. Cancelling it again is "
        "answered with how far that is.",
    ),
    tag=TAG["name"],
    parameters=parameters("eventId", "idempotencyKey"),
    body=ref("EventCancellation"),
    permission=ADMIN,
    answers={
        "202": answer(
            "The event is closed; its bookings are being ended.",
            ref("ClosedEvent"),
            {"closed": said(CLOSED)},
            more_headers=(REPLAYED_HEADER,),
            links={"event": link("get_event", "The event, which is CANCELLED.", eventId=_ID)},
        )
    },
    codes=(
        *("EVENT_NOT_FOUND", "NOT_FOUND", "CATALOG_UNAVAILABLE"),
        *("IDEMPOTENCY_KEY_REUSED", "IDEMPOTENCY_IN_PROGRESS"),
    ),
)

PATHS: Final[dict[str, Any]] = {
    EVENTS: {"get": _LIST},
    f"{EVENTS}/{{eventId}}": {"get": _GET},
    f"{EVENTS}/{{eventId}}/seats": {"get": _SEATS},
    f"{EVENTS}/{{eventId}}/cancel": {"post": _CANCEL},
}
