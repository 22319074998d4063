"""Headers and parameters, each described once."""

from typing import Any, Final

from booking_api.http.bodies import IDEMPOTENCY_HEADER as KEY
from booking_api.http.flask_app import CORRELATION_HEADER as CORRELATION
from booking_api.http.flask_app import LAYOUT_HEADER as LAYOUT
from booking_api.http.flask_app import REPLAYED_HEADER as REPLAYED
from booking_api.http.query import COMPACT, LARGEST_LIMIT
from booking_api.openapi import examples

_TEXT: Final = {"type": "string"}

HEADERS: Final[dict[str, dict[str, Any]]] = {
    CORRELATION: {
        "description": "The caller's correlation id, or a generated one. The log and the events have it, too.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,128}$"},
        "example": examples.CORRELATION_ID,
    },
    "X-Content-Type-Options": {"description": "For browsers.", "required": True, "schema": {"const": "nosniff"}},
    "Cache-Control": {
        "description": "`no-store`; for seat maps, this document and its page `no-cache`: cache it and revalidate.",
        "required": True,
        "schema": {"enum": ["no-store", "no-cache"]},
    },
    "Retry-After": {
        "description": "Whole seconds to wait before the next attempt.",
        "schema": {"type": "integer", "minimum": 1},
        "example": 1,
    },
    "WWW-Authenticate": {"description": "The scheme.", "required": True, "schema": {"const": "Bearer"}},
    "Allow": {
        "description": "The methods that the path supports.",
        "required": True,
        "schema": _TEXT,
        "example": "GET",
    },
    REPLAYED: {
        "description": "`true` on the response of an earlier request with the same key; otherwise absent.",
        "schema": {"const": "true"},
    },
    "ETag": {
        "description": "The version of this response, for `If-None-Match`.",
        "required": True,
        "schema": _TEXT,
        "example": '"5f2b7c90d1e84a36"',
    },
    "Vary": {"description": "Compressed for those who accept it.", "required": True, "schema": _TEXT},
    "Content-Encoding": {"description": "`gzip` of a compressed body; otherwise absent.", "schema": {"const": "gzip"}},
    LAYOUT: {
        "description": "Changes with order, rows, numbers and prices of the seats; `layout` of the compact form.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[0-9a-f]{24}$"},
        "example": examples.LAYOUT,
    },
    "Content-Disposition": {"description": "The name of the file.", "required": True, "schema": _TEXT},
    "Content-Security-Policy": {
        "description": "Nothing is loaded from elsewhere.",
        "required": True,
        "schema": _TEXT,
    },
}

ON_EVERY_RESPONSE: Final = (CORRELATION, "X-Content-Type-Options", "Cache-Control")


def headers(*names: str) -> dict[str, Any]:
    """The headers that every response has, and these."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*ON_EVERY_RESPONSE, *names)}


def _path_id(name: str, what: str, example: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": f"{what} A text that is not a UUID is an unknown id.",
        "schema": {"type": "string", "format": "uuid"},
        "example": example,
    }


def _query(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": f"{description} At most once.", "schema": schema}


PARAMETERS: Final[dict[str, dict[str, Any]]] = {
    "bookingId": _path_id("bookingId", "A booking of yours.", examples.BOOKING_ID),
    "eventId": _path_id("eventId", "The event.", examples.EVENT_ID),
    "page": _query("page", "Which page.", {"type": "integer", "minimum": 1, "maximum": 999999999, "default": 1}),
    "limit": _query(
        "limit",
        "The most entries that a page has.",
        {"type": "integer", "minimum": 1, "maximum": LARGEST_LIMIT, "default": 10},
    ),
    "format": _query("format", "The compact form, for clients that poll.", {"const": COMPACT}),
    "status": _query(
        "status",
        "Only bookings with this status.",
        {"$ref": "#/components/schemas/BookingStatus"},
    ),
    "idempotencyKey": {
        "name": KEY,
        "in": "header",
        "description": "Makes it safe to retry the request: the same key with the same body (compared as JSON) gets "
        "the response of the first request, with another body an error. Printable ASCII, no blank at either end; valid "
        "for your token's user, this method and path. Successes are stored for a day, failures not at all. For "
        "instance `order-2026-0001`.",
        "schema": {"type": "string", "pattern": "^[!-~]([ -~]{0,253}[!-~])?$", "maxLength": 255},
    },
    "correlationId": {
        "name": CORRELATION,
        "in": "header",
        "description": "Up to 128 of `A–Z a–z 0–9 . _ : -`, returned and written into every event. Without one, or "
        "with any other text, one is generated.",
        "schema": _TEXT,
    },
    "ifNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "description": "The ETags that the caller has; 304 if one is current.",
        "schema": _TEXT,
    },
}


def parameters(*names: str) -> list[dict[str, Any]]:
    """These, and the correlation id, which every route accepts."""
    return [{"$ref": f"#/components/parameters/{name}"} for name in (*names, "correlationId")]
