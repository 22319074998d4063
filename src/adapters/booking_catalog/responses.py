"""Parse and validate the response bodies of the Catalog Service.

Every function raises CatalogAnswerInvalid with one printable line that names the problem and its place. Unknown fields
and a byte order mark are ignored. No number passes through a binary float: 0.1 stays 0.1, and 0.30000000000000004 USD,
which one has been through, is 0.30.
"""

from codecs import BOM_UTF8
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, NoReturn, TypeVar
from uuid import UUID

import msgspec
import structlog
from msgspec import Meta, Raw, Struct, UnsetType

from booking_core.domain.errors import InvalidValue
from booking_core.domain.payments import stands_for
from booking_core.domain.values import MAX_PRICE, MAX_TEXT, SaleStatus, Seat, TicketedEvent, decimals_of
from booking_core.ports.catalog import CatalogAnswerInvalid


def printable(text: str, limit: int = 300) -> str:
    """At most `limit` characters; line breaks, control characters and lone surrogates become `?`."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(char if char.isprintable() else "?" for char in cut)


_log = structlog.get_logger("booking_catalog")
_T = TypeVar("_T")
_Body = bytes | bytearray
_Text = Annotated[str, Meta(max_length=255)]
_Number = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class _Envelope(Struct):
    success: bool
    data: Raw | UnsetType = msgspec.UNSET


class _EventBody(Struct, rename="camel"):
    event_id: UUID
    name: str
    starts_at: Annotated[datetime, Meta(tz=True)]
    status: str
    currency: str


class _EventStatusBody(Struct, rename="camel"):
    """What stops the sale of an event, however little can be understood of the rest."""

    event_id: UUID
    status: str


class _SeatBody(Struct, rename="camel"):
    seat_id: UUID
    row: _Text
    number: _Number
    price: Any  # a JSON number: msgspec's Decimal would accept the string "75.00" too


def parse_event(body: _Body, event_id: UUID) -> TicketedEvent:
    """The event in the response to a request for `event_id`, with its start in UTC and its name cut to 255 characters.

    A status that is none of the contract's is DRAFT: the event is not sold. If the rest of the response is invalid, the
    error has the status of an event that is not on sale.
    """
    data = _data_of(body)
    try:
        return _event_in(data, event_id)
    except CatalogAnswerInvalid as error:
        error.sale_status = _status_that_stops_the_sale(data, event_id)
        raise


def _event_in(data: Raw, event_id: UUID) -> TicketedEvent:
    sent = _decode(_event_decoder, data, "$.data")
    if sent.event_id != event_id:
        _reject(f"eventId is {sent.event_id}, but {event_id} was asked for")
    try:
        return TicketedEvent(
            event_id=event_id,
            name=_storable(sent.name if len(sent.name) <= MAX_TEXT else sent.name[: MAX_TEXT - 1] + "…", "$.data.name"),
            starts_at=sent.starts_at.astimezone(UTC),
            status=_status_of(sent.status, event_id),
            currency=sent.currency.upper() if sent.currency.isascii() else sent.currency,
        )
    except InvalidValue as error:
        _reject(f"{error.field} {error.problem} - at `$.data`")
    except OverflowError:
        _reject(f"startsAt {sent.starts_at} is outside the calendar in UTC")


def _status_of(text: str, event_id: UUID) -> SaleStatus:
    try:
        return SaleStatus(text)
    except ValueError:
        _log.warning("catalog.status_unknown", event_id=str(event_id), status=printable(text, 40), taken_as="DRAFT")
        return SaleStatus.DRAFT


def _status_that_stops_the_sale(data: Raw, event_id: UUID) -> SaleStatus | None:
    try:
        sent = _status_decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    status = _status_of(sent.status, event_id)
    return status if sent.event_id == event_id and status is not SaleStatus.ON_SALE else None


def parse_seats(body: _Body, currency: str) -> Sequence[Seat]:
    """All seats of a response, in its order, none twice; prices have the decimals of `currency`.

    A seat that is there twice, the same each time, counts once; otherwise it is unclear which is meant.
    """
    seats: dict[UUID, Seat] = {}
    listed = _decode(_seats_decoder, _data_of(body), "$.data")
    for place, sent in enumerate(listed):
        where = f"$.data[{place}]"
        try:
            seat = Seat(
                seat_id=sent.seat_id,
                row=_storable(sent.row, f"{where}.row"),
                number=sent.number,
                price=_parse_price(sent.price, currency, f"{where}.price"),
            )
        except InvalidValue as error:  # a rule of the domain that is stricter than the checks here
            _reject(f"{error.field} {error.problem} - at `{where}`")
        if seats.setdefault(seat.seat_id, seat) != seat:
            _reject(f"seatId {seat.seat_id} is there twice and differs, the second time at {where}")
    return list(seats.values())


def _data_of(body: _Body) -> Raw:
    content = memoryview(body)[len(BOM_UTF8) :] if body.startswith(BOM_UTF8) else body
    envelope = _decode(_envelope_decoder, content, "$")
    if not envelope.success:
        _reject("success is false")
    if isinstance(envelope.data, UnsetType):
        _reject("data is missing")
    return envelope.data


def _decode(decoder: msgspec.json.Decoder[_T], content: _Body | memoryview | Raw, where: str) -> _T:
    try:
        return decoder.decode(content)
    except msgspec.ValidationError as error:
        text = str(error)
        _reject(text.replace("`$", f"`{where}") if "`$" in text else f"{text} - at `{where}`")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        start = bytes(memoryview(content)[:40]).decode("utf-8", "replace")
        _reject(f"not JSON: {error} - in `{where}`, which starts with {start!r}")
    except RecursionError:
        _reject(f"nested too deeply - in `{where}`")


def _storable(text: str, where: str) -> str:
    if "\0" in text:
        _reject(f"a NUL character - at `{where}`")  # PostgreSQL cannot store one
    return text


def _parse_price(value: Any, currency: str, where: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        _reject(f"the price is {_json_type(value)}, not a number - at `{where}`")
    amount = Decimal(value)
    if not amount.is_finite() or not 0 <= amount < MAX_PRICE:
        _reject(f"the price {amount} is not from 0 to below {MAX_PRICE} - at `{where}`")
    price = stands_for(amount, currency)
    if price is None:
        decimals = decimals_of(currency)
        _reject(f"the price {amount} has more decimals than {currency}, which has {decimals} - at `{where}`")
    return price


def _json_type(value: object) -> str:
    return {bool: "a boolean", str: "a string", list: "an array", dict: "an object"}.get(type(value), "null")


def _exact(literal: str) -> Decimal:
    try:
        return Decimal(literal)
    except InvalidOperation:  # an exponent beyond what the decimal module can hold
        return Decimal("NaN")


def _reject(problem: str) -> NoReturn:
    raise CatalogAnswerInvalid(printable(problem)) from None


_envelope_decoder = msgspec.json.Decoder(_Envelope)
_event_decoder = msgspec.json.Decoder(_EventBody)
_status_decoder = msgspec.json.Decoder(_EventStatusBody)
_seats_decoder = msgspec.json.Decoder(list[_SeatBody], float_hook=_exact)
