"""Every error code: when it occurs, its schema and its responses. Codes and statuses are those of `http.errors`."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from booking_api.http.errors import STATUS
from booking_api.http.flask_app import LONGEST_BODY
from booking_api.openapi import examples
from booking_api.openapi.headers import headers
from booking_core import BookingError, Failure
from booking_core.domain.policies import MAX_PENDING, MAX_SEATS

WHEN: Final[Mapping[str, str]] = {
    "UNAUTHENTICATED": "The token is absent, or not valid here.",
    "FORBIDDEN": "The token does not grant the required permission.",
    "VALIDATION_FAILED": "The request is invalid; `details.fields` lists the fields and their problems.",
    "TOO_MANY_SEATS": f"More than {MAX_SEATS} seats in one booking.",
    "EVENT_NOT_FOUND": "The event is unknown.",
    "SEAT_NOT_FOUND": "Some seats do not exist in this event; `details.seatIds` lists them.",
    "BOOKING_NOT_FOUND": "The booking does not exist, or belongs to another customer: the responses are the same.",
    "SEAT_ALREADY_RESERVED": "Some seats are taken; `details.unavailableSeatIds` lists all of them.",
    "PENDING_LIMIT_REACHED": f"You have {MAX_PENDING} bookings that wait for payment.",
    "EVENT_NOT_ON_SALE": "The event is cancelled, a draft, or has started.",
    "TICKET_NOT_AVAILABLE": "The booking is not CONFIRMED, so it has no ticket; `details.status` is its status.",
    "PAYMENT_IN_PROGRESS": "A booking cannot be cancelled while its payment is in progress.",
    "BOOKING_NOT_CANCELLABLE": "The booking has ended otherwise, or its event has started.",
    "IDEMPOTENCY_KEY_REUSED": "The key was used with another body.",
    "IDEMPOTENCY_IN_PROGRESS": "The first request with this key is in progress; see `Retry-After`.",
    "SERVICE_BUSY": (
        "The service is overloaded, or the database is unavailable; see `Retry-After`. Repeat a POST with the same"
        " `Idempotency-Key`: if only the response was lost, you get it again."
    ),
    "CATALOG_UNAVAILABLE": "The catalog is needed for this and unavailable; see `Retry-After`.",
    "NOT_FOUND": "The path does not exist.",
    "METHOD_NOT_ALLOWED": "The path does not support the method; `Allow` lists those that it does.",
    "PAYLOAD_TOO_LARGE": f"The body is longer than {LONGEST_BODY // 1024} KB.",
    "INTERNAL_ERROR": "An error of the service; find it by the correlation id.",
}
"""In the order of the table of codes."""

_SEAT_IDS: Final = {"type": "array", "items": {"type": "string", "format": "uuid"}, "minItems": 1, "maxItems": 10}
_FIELD: Final = {
    "type": "object",
    "required": ["field", "problem"],
    "properties": {
        "field": {"type": "string", "description": "Its name in the request."},
        "problem": {"type": "string", "description": "For people."},
    },
}
_NOTHING: Final[dict[str, Any]] = {"type": "object", "maxProperties": 0}
_DETAILS: Final[Mapping[str, dict[str, Any]]] = {
    "VALIDATION_FAILED": {
        "type": "object",
        "properties": {"fields": {"type": "array", "items": _FIELD, "minItems": 1, "maxItems": 20}},
    },
    "SEAT_NOT_FOUND": {"type": "object", "required": ["seatIds"], "properties": {"seatIds": _SEAT_IDS}},
    "SEAT_ALREADY_RESERVED": {
        "type": "object",
        "required": ["unavailableSeatIds"],
        "properties": {"unavailableSeatIds": _SEAT_IDS},
    },
    "TICKET_NOT_AVAILABLE": {
        "type": "object",
        "required": ["status"],
        "properties": {"status": {"$ref": "#/components/schemas/BookingStatus"}},
    },
}
_PROBLEM: Final = {"field": "seatIds", "problem": "must name at least one seat"}
_DETAILS_SHOWN: Final[Mapping[str, dict[str, Any]]] = {
    "VALIDATION_FAILED": {"fields": [_PROBLEM]},
    "SEAT_NOT_FOUND": {"seatIds": examples.ORDER["seatIds"][:1]},
    "SEAT_ALREADY_RESERVED": {"unavailableSeatIds": examples.ORDER["seatIds"][:1]},
    "TICKET_NOT_AVAILABLE": {"status": "PENDING"},
}
_MESSAGES: Final[Mapping[str, str]] = {
    "UNAUTHENTICATED": "A valid token is needed",
    "VALIDATION_FAILED": f"{_PROBLEM['field']} {_PROBLEM['problem']}",
    "NOT_FOUND": "There is nothing here",
    "METHOD_NOT_ALLOWED": "This cannot be done here",
    "PAYLOAD_TOO_LARGE": "The body is longer than 64 KB",
    "INTERNAL_ERROR": "Something went wrong; the correlation id leads to it",
}
_HEADERS: Final[Mapping[str, str]] = {"UNAUTHENTICATED": "WWW-Authenticate", "METHOD_NOT_ALLOWED": "Allow"}


def _kinds(base: type[BookingError]) -> dict[str, type[BookingError]]:
    """The errors of the domain and of the API by code; of several with one code the most general."""
    found: dict[str, type[BookingError]] = {}
    for kind in base.__subclasses__():
        own = {kind.code: kind} if "code" in vars(kind) else {}
        found = {**_kinds(kind), **own, **found}
    return found


def schema_name(code: str) -> str:
    """The name of the schema of a code: SeatNotFoundError for SEAT_NOT_FOUND."""
    return "".join(word.capitalize() for word in code.removesuffix("_ERROR").split("_")) + "Error"


def schemas() -> dict[str, Any]:
    """One schema for each code."""
    return {schema_name(code): _schema(code) for code in STATUS}


def _schema(code: str) -> dict[str, Any]:
    error = {
        "type": "object",
        "required": ["code", "message", "details"],
        "properties": {
            "code": {"const": code},
            "message": {"type": "string", "minLength": 1, "description": "For people; it may change."},
            "details": _DETAILS.get(code, _NOTHING),
        },
    }
    return {
        "type": "object",
        "description": WHEN[code],
        "required": ["success", "error"],
        "properties": {"success": {"const": False}, "error": error},
    }


def example(code: str) -> dict[str, Any]:
    """The body of a response with this code."""
    message = _MESSAGES.get(code) or _kinds(BookingError)[code].message
    return {"success": False, "error": {"code": code, "message": message, "details": _DETAILS_SHOWN.get(code, {})}}


def responses_by_status(*codes: str) -> dict[str, Any]:
    """The responses of an operation that has these codes, by status."""
    by_status: dict[int, list[str]] = {}
    for code in sorted(codes, key=list(STATUS).index):
        by_status.setdefault(STATUS[code], []).append(code)
    return {str(status): response(together) for status, together in sorted(by_status.items())}


def response(codes: Iterable[str]) -> dict[str, Any]:
    """A response with one of these codes, all of one status."""
    refs = [{"$ref": f"#/components/schemas/{schema_name(code)}"} for code in codes]
    shown = {code: {"summary": WHEN[code], "value": example(code)} for code in codes}
    return {
        "description": "\n".join(f"- `{code}`: {WHEN[code]}" for code in codes),
        "headers": headers(*sorted({name for code in codes for name in _headers_of(code)})),
        "content": {"application/json": {"schema": refs[0] if len(refs) == 1 else {"oneOf": refs}, "examples": shown}},
    }


def _headers_of(code: str) -> Iterable[str]:
    if code in _HEADERS:
        yield _HEADERS[code]
    kind = _kinds(BookingError).get(code)
    if kind is not None and issubclass(kind, Failure):
        yield "Retry-After"
