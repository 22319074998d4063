"""Request bodies: one schema each, decoded once, with all faults named; and the idempotency key, which covers the body.

A body is a JSON object of exactly the fields of its schema. A body that does not fit is an InvalidRequest (400).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from json import JSONDecoder
from types import MappingProxyType
from typing import Any, Final, Generic, Literal, TypeVar, get_args, get_origin
from uuid import UUID

from attrs import frozen
from msgspec import DecodeError, Struct, ValidationError
from msgspec.json import Decoder, Encoder
from msgspec.structs import fields

from booking_api.http.query import Fault, InvalidRequest, id_in
from booking_api.http.request import DECODED_RESERVATION, ApiRequest, body_of
from booking_core import IdempotencyKey

IDEMPOTENCY_HEADER: Final = "Idempotency-Key"

T = TypeVar("T", bound=Struct)
_LONGEST_NAME_SHOWN: Final = 64
# Bytes: a reservation of ten seats has about 500.
_LONGEST_ON_THE_LOOP: Final = 4096
_KEY: Final = re.compile("[ -~]{1,255}")
_BLANKS: Final = b" \t\r\n"
_CANONICAL: Final = Encoder(order="sorted")
_AT_FIELD: Final = re.compile(r"(?P<problem>.*) - at `\$\.?(?P<field>.*)`", re.DOTALL)
_NAMED_FIELD: Final = re.compile(r"Object (?P<problem>missing|contains).* field `(?P<field>.*)`", re.DOTALL)


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
    """A valid body: its `fields`, and its `canonical` JSON, which is equal for equal documents.

    Neither the order of fields nor blanks count; the spelling of values does (an id in upper case is another text).
    """

    fields: T
    canonical: bytes


_CREATE_BOOKING: Final = Decoder(CreateBooking)
_CANCEL_EVENT: Final = Decoder(CancelEventBody)
_VERIFY_TICKET: Final = Decoder(VerifyTicketBody)


def decode_create_booking(raw: bytes) -> Body[CreateBooking] | None:
    """Decode the body of a reservation without regard to its Content-Type; None if it is invalid or unusually long.

    For the gateway, which passes the result on as DECODED_RESERVATION. It runs on the event loop, so it neither lists
    faults nor decodes a long body: the route does both, in a thread.
    """
    if len(raw) > _LONGEST_ON_THE_LOOP:
        return None
    try:
        return _checked(_CREATE_BOOKING, raw)
    except (DecodeError, ValueError, RecursionError):  # InvalidRequest and UnicodeDecodeError are ValueErrors
        return None


def create_booking_in(request: ApiRequest) -> Body[CreateBooking]:
    """The reservation. The command checks whether seats are named twice, or not at all."""
    check_content_type(request.environ.get("CONTENT_TYPE"))
    decoded: Body[CreateBooking] | None = request.environ.get(DECODED_RESERVATION)
    if decoded is not None:
        return decoded
    return _understood(_CREATE_BOOKING, body_of(request))


def cancel_event_in(request: ApiRequest) -> Body[CancelEventBody]:
    """Why an event is cancelled."""
    return _body_in(request, _CANCEL_EVENT)


def verify_ticket_in(request: ApiRequest) -> Body[VerifyTicketBody]:
    """The text that was scanned or typed at the door."""
    return _body_in(request, _VERIFY_TICKET)


def check_content_type(content_type: str | None) -> None:
    """Raise InvalidRequest for a body of another declared type than JSON; without a type it counts as JSON."""
    if content_type and content_type.partition(";")[0].strip().lower() != "application/json":
        raise InvalidRequest("Content-Type", "must be application/json")


def idempotency_key(header: str | None, user_id: str, operation: str, body: Body[Any]) -> IdempotencyKey | None:
    """The key of a request with this `Idempotency-Key` header, None without one. `operation` is its method and path.

    Raises InvalidRequest unless the header is 1 to 255 printable ASCII characters.
    """
    if header is None:
        return None
    if not _KEY.fullmatch(header):
        raise InvalidRequest(IDEMPOTENCY_HEADER, "must be 1 to 255 printable ASCII characters")
    fingerprint = sha256(body.canonical).hexdigest()
    return IdempotencyKey(user_id=user_id, operation=operation, key=header, fingerprint=fingerprint)


def _body_in(request: ApiRequest, decoder: Decoder[T]) -> Body[T]:
    check_content_type(request.environ.get("CONTENT_TYPE"))
    return _understood(decoder, body_of(request))


def _understood(decoder: Decoder[T], raw: bytes) -> Body[T]:
    try:
        return _checked(decoder, raw)
    except ValidationError as error:
        raise all_faults(decoder.type, raw, error) from None
    except UnicodeDecodeError:
        raise InvalidRequest("body", "must be in UTF-8") from None
    except InvalidRequest:
        raise
    except (DecodeError, ValueError):
        raise InvalidRequest("body", "must be well-formed JSON") from None


def _checked(decoder: Decoder[T], raw: bytes) -> Body[T]:
    decoded = decoder.decode(raw)
    canonical = _CANONICAL.encode(decoded)
    # Equal but for blanks: then no field is given twice, and ids are in canonical form, which the decoder ignores.
    if raw.translate(None, _BLANKS) == canonical:
        return Body(decoded, canonical)
    # The decoder has limited the depth and rejected NaN; this one rejects a field that is given twice.
    document = _PLAIN.decode(raw.decode())
    if faults := faults_in(decoder.type, document):
        raise InvalidRequest.of_all(faults)
    return Body(decoded, _CANONICAL.encode(document))


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise InvalidRequest("body", "must not give a field twice")
    return document


# Made once: `json.loads` makes a decoder for each call that has a hook.
_PLAIN: Final = JSONDecoder(object_pairs_hook=_each_once)


def all_faults(kind: type[Struct], raw: bytes, error: ValidationError) -> InvalidRequest:
    """Every fault of a body that the decoder rejected, or the decoder's own if the body cannot be read as a whole."""
    try:
        document = _PLAIN.decode(raw.decode())
    except (ValueError, RecursionError):  # the decoder stopped before a worse fault
        return _explained(str(error))
    faults = faults_in(kind, document) if isinstance(document, dict) else []
    return InvalidRequest.of_all(faults) if faults else _explained(str(error))


def faults_in(kind: type[Struct], document: Mapping[str, Any]) -> list[Fault]:
    """Every field that is missing, of a wrong type or unknown: those of `kind` in their order, then the others.

    Ids must be in canonical form, which is stricter than the decoder. Types that are not checked here pass.
    """
    faults: list[Fault] = []
    known = {each.encode_name: each for each in fields(kind)}
    for name, each in known.items():
        if name in document:
            faults += _faults_of(each.type, name, document[name])
        elif each.required:
            faults.append((name, "is missing"))
    faults += [(name[:_LONGEST_NAME_SHOWN], "is not a field of this request") for name in document if name not in known]
    return faults


def _faults_of(kind: Any, name: str, value: Any) -> Iterator[Fault]:
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            yield name, f"must be one of {', '.join(get_args(kind))}"
    elif get_origin(kind) is list:
        if not isinstance(value, list):
            yield name, "must be a list"
            return
        (inner,) = get_args(kind)
        for place, each in enumerate(value):
            yield from _faults_of(inner, f"{name}[{place}]", each)
    elif kind in _CHECKS:
        is_valid, problem = _CHECKS[kind]
        if not is_valid(value):
            yield name, problem


_CHECKS: Final[Mapping[Any, tuple[Callable[[Any], bool], str]]] = MappingProxyType(
    {
        UUID: (lambda value: isinstance(value, str) and id_in(value) is not None, "must be a UUID"),
        str: (lambda value: isinstance(value, str), "must be text"),
        bool: (lambda value: isinstance(value, bool), "must be true or false"),
    }
)


def _explained(problem: str) -> InvalidRequest:
    """The decoder's error in the words of this API."""
    if named := _NAMED_FIELD.fullmatch(problem):
        is_missing = named["problem"] == "missing"
        return InvalidRequest(
            named["field"][:_LONGEST_NAME_SHOWN], "is missing" if is_missing else "is not a field of this request"
        )
    if not (placed := _AT_FIELD.fullmatch(problem)):
        return InvalidRequest("body", "must be a JSON object")
    words = placed["problem"].lower()
    expected = next((text for word, text in _EXPECTED if word in words), "text")
    return InvalidRequest(placed["field"], f"must be {expected}")


# The decoder's words and ours; its own would show the insides of our classes.
_EXPECTED: Final = (("uuid", "a UUID"), ("array", "a list"), ("length", "text of 1 to 255 characters"))
