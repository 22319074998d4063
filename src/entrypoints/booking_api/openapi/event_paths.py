"""The paths under /api/v1/events: events, their seats, and cancelling an event."""

from typing import Any, Final

from booking_api.http.flask_app import LAYOUT_HEADER, REPLAYED_HEADER
from booking_api.openapi.examples import CLOSED, COMPACT_SEAT_MAP, EVENT, PAGE, SEAT_MAP, shown
from booking_api.openapi.headers import parameters
from booking_api.openapi.operations import guarded, json_success, link
from booking_api.openapi.schemas import ref
from booking_api.routes.events import ADMIN, EVENTS

TAG: Final = {"name": "Events", "description": "The events and their seats."}

_FIRST: Final = "$response.body#/data/0/eventId"
_ID: Final = "$response.body#/data/eventId"
_BOOK: Final = {
    "operationId": "create_booking",
    "description": "Reserve a seat of the map.",
    "requestBody": {"eventId": _ID, "seatIds": ["$response.body#/data/seats/0/seatId"]},
}

_LIST: Final = guarded(
    "list_events",
    (
        "Known events",
        "By start, in pages. An event is known after the first request for it, or after an operator has loaded it.",
    ),
    tag=TAG["name"],
    parameters=parameters("page", "limit"),
    successes={
        "200": json_success(
            "A page of events.",
            {"type": "array", "items": ref("Event"), "maxItems": 100},
            {"one": shown([EVENT], pagination=PAGE)},
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
    ("One event", "As in the Catalog; CANCELLED if it was cancelled in this service."),
    tag=TAG["name"],
    parameters=parameters("eventId"),
    successes={
        "200": json_success(
            "The event.",
            ref("Event"),
            {"on sale": shown(EVENT)},
            links={"seats": link("list_seats", "Its seats.", eventId=_ID)},
        )
    },
    codes=("EVENT_NOT_FOUND", "NOT_FOUND", "CATALOG_UNAVAILABLE"),
)

_MAP: Final = json_success(
    "The seats.",
    {"oneOf": [ref("SeatMap"), ref("CompactSeatMap")]},
    {"two": shown(SEAT_MAP), "compact": shown(COMPACT_SEAT_MAP)},
    more_headers=("ETag", LAYOUT_HEADER, "Vary", "Content-Encoding"),
    links={"reserve": _BOOK},
)
_SEATS: Final = guarded(
    "list_seats",
    (
        "The seats of an event",
        "All of them, with their present statuses; never who holds one. To poll them, send `If-None-Match`, or request "
        "the compact form: as long as its `layout` is that of the full form, its letters belong to the same seats.",
    ),
    tag=TAG["name"],
    parameters=parameters("eventId", "format", "ifNoneMatch"),
    successes={"200": _MAP, "304": {"description": "The caller's seats are current.", "headers": _MAP["headers"]}},
    codes=("VALIDATION_FAILED", "EVENT_NOT_FOUND", "NOT_FOUND", "CATALOG_UNAVAILABLE"),
)

_CANCEL: Final = guarded(
    "cancel_event",
    (
        "Cancel an event",
        f"For administrators: requires the permission `{ADMIN}`. From the response on the event cannot be reserved; "
        "its bookings end soon after, and a refund is requested for each of their payments. Cancelling it again "
        "returns the progress.",
    ),
    tag=TAG["name"],
    parameters=parameters("eventId", "idempotencyKey"),
    body=ref("EventCancellation"),
    permission=ADMIN,
    successes={
        "202": json_success(
            "The event is closed; its bookings are being ended.",
            ref("ClosedEvent"),
            {"closed": shown(CLOSED)},
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
