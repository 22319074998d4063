"""The bodies of requests: JSON objects of exactly the known fields. What cannot be read is an InvalidRequest (400)."""

import re
from json import JSONDecoder
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from attrs import frozen
from flask import Request
from msgspec import DecodeError, Struct, ValidationError
from msgspec.json import Decoder

from booking_api.http.body_faults import faults_in
from booking_api.http.limits import body_of
from booking_api.http.query import CANONICAL_LENGTH, InvalidRequest

T = TypeVar("T", bound=Struct)
_MOST_OF_A_NAME: Final = 64
_PLACE: Final = re.compile(r"(?P<problem>.*) - at `\$\.?(?P<field>.*)`", re.DOTALL)
_NAMED: Final = re.compile(r"Object (?P<problem>missing|contains).* field `(?P<field>.*)`", re.DOTALL)


class CreateBooking(Struct, forbid_unknown_fields=True, frozen=True, rename="camel"):
    """`POST /api/v1/bookings`."""

    event_id: UUID
    seat_ids: list[UUID]


class CancelEventBody(Struct, forbid_unknown_fields=True, frozen=True):
    """`POST /api/v1/events/{eventId}/cancel`."""

    reason: str


class VerifyTicketBody(Struct, forbid_unknown_fields=True, frozen=True, rename="camel"):
    """`POST /api/v1/tickets/verify`."""

    ticket_reference: str


@frozen
class Body(Generic[T]):
    """A body that was understood: its `fields`, and the `document` as plain JSON, by which two bodies compare."""

    fields: T
    document: dict[str, Any]


_CREATE_BOOKING: Final = Decoder(CreateBooking)
_CANCEL_EVENT: Final = Decoder(CancelEventBody)
_VERIFY_TICKET: Final = Decoder(VerifyTicketBody)


def create_booking_in(request: Request) -> Body[CreateBooking]:
    """What to reserve. Whether seats are named twice, or not at all, is for the command to say."""
    _check_type(request.environ.get("CONTENT_TYPE"))
    return _create_booking(body_of(request))


def create_booking_from(content_type: str | None, raw: bytes) -> Body[CreateBooking]:
    """The same, of a body that is here already."""
    _check_type(content_type)
    return _create_booking(raw)


def _create_booking(raw: bytes) -> Body[CreateBooking]:
    body = _understood(_CREATE_BOOKING, raw)
    # The decoder takes 32 digits without dashes for a UUID too.
    if any(len(text) != CANONICAL_LENGTH for text in (body.document["eventId"], *body.document["seatIds"])):
        raise InvalidRequest.of_all(faults_in(CreateBooking, body.document))
    return body


def cancel_event_in(request: Request) -> Body[CancelEventBody]:
    """Why an event is cancelled."""
    _check_type(request.environ.get("CONTENT_TYPE"))
    return _understood(_CANCEL_EVENT, body_of(request))


def verify_ticket_in(request: Request) -> Body[VerifyTicketBody]:
    """What somebody has scanned or typed at the door."""
    _check_type(request.environ.get("CONTENT_TYPE"))
    return _understood(_VERIFY_TICKET, body_of(request))


def _understood(decoder: Decoder[T], raw: bytes) -> Body[T]:
    try:
        fields = decoder.decode(raw)
        # The typed decoding has bounded the depth and refused NaN; this one sees a name that is given twice.
        return Body(fields, _PLAIN.decode(raw.decode()))
    except ValidationError as error:
        raise all_faults(decoder.type, raw, error) from None
    except UnicodeDecodeError:
        raise InvalidRequest("body", "must be in UTF-8") from None
    except (DecodeError, ValueError) as error:
        if isinstance(error, InvalidRequest):
            raise
        raise InvalidRequest("body", "must be well-formed JSON") from None


def _check_type(content_type: str | None) -> None:
    # A body that does not say what it is will be tried; one that says it is something else is taken at its word.
    if content_type and content_type.partition(";")[0].strip().lower() != "application/json":
        raise InvalidRequest("Content-Type", "must be application/json")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise InvalidRequest("body", "must not give a field twice")
    return document


# Made once: `json.loads` makes a decoder for each call that has a hook.
_PLAIN: Final = JSONDecoder(object_pairs_hook=_each_once)


def all_faults(kind: type[Struct], raw: bytes, error: ValidationError) -> InvalidRequest:
    """What is wrong with a body that the decoder refused: all of it, or what the decoder met first."""
    try:
        document = _PLAIN.decode(raw.decode())
    except (ValueError, RecursionError):  # the decoder stopped before something that is worse
        return _explained(str(error))
    faults = faults_in(kind, document) if isinstance(document, dict) else []
    return InvalidRequest.of_all(faults) if faults else _explained(str(error))


def _explained(problem: str) -> InvalidRequest:
    """The decoder's complaint in the words of this API."""
    if named := _NAMED.fullmatch(problem):
        is_missing = named["problem"] == "missing"
        return InvalidRequest(
            named["field"][:_MOST_OF_A_NAME], "is missing" if is_missing else "is not a field of this request"
        )
    if not (placed := _PLACE.fullmatch(problem)):
        return InvalidRequest("body", "must be a JSON object")
    words = placed["problem"].lower()
    expected = next((said for word, said in _EXPECTED if word in words), "text")
    return InvalidRequest(placed["field"], f"must be {expected}")


# The decoder's words and ours; its own would show our classes' insides.
_EXPECTED: Final = (("uuid", "a UUID"), ("array", "a list"), ("length", "text of 1 to 255 characters"))
