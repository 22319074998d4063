"""Catalog files: parsing them, and loading their events into the store in small transactions.

An event is never on sale before all its seats are stored.
"""

from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Hashable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
from attrs import evolve, frozen

from booking_core.application.retries import in_unit_of_work
from booking_core.domain.errors import InvalidValue
from booking_core.domain.values import SaleStatus, Seat, TicketedEvent, decimals_of, is_storable
from booking_core.ports.store import Store
from booking_core.ports.unit_of_work import UnitOfWork

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
_LARGEST_NUMBER: Final = 2**31 - 1  # the largest integer of PostgreSQL
SEATS_PER_TRANSACTION: Final = 500  # short transactions: reservations of the same event go on in between


class CatalogFileInvalid(Exception):
    """The file is malformed or unreadable. The text is one line with the path of the fault, like `$.events[0].name`."""


@frozen
class LoadedEvent:
    """An event of the file with all its seats."""

    event: TicketedEvent
    seats: Sequence[Seat]


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Base of all entries: camelCase names, and no unknown fields."""


class _Seat(_Entry, frozen=True):
    seat_id: UUID
    row: _Text
    number: Annotated[int, msgspec.Meta(ge=0, le=_LARGEST_NUMBER)]
    price: Decimal


class _Event(_Entry, frozen=True):
    event_id: UUID
    name: _Text
    starts_at: Annotated[datetime, msgspec.Meta(tz=True)]
    currency: str
    seats: list[_Seat]
    status: Literal["ON_SALE", "CANCELLED", "DRAFT"] = "ON_SALE"


class _File(_Entry, frozen=True):
    events: list[_Event]


def read_catalog_file(path: Path) -> Sequence[LoadedEvent]:
    """Read and parse a catalog file; its events in their order. Raises CatalogFileInvalid."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CatalogFileInvalid(f"{path}: {error.strerror}") from error
    try:
        return parse_catalog(content)
    except CatalogFileInvalid as error:
        raise CatalogFileInvalid(f"{path}: {error}") from None


def parse_catalog(content: bytes) -> Sequence[LoadedEvent]:
    """Parse the JSON text; its events in their order. Raises CatalogFileInvalid."""
    if content.startswith((BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE)):
        raise CatalogFileInvalid("starts with a byte order mark: save it as UTF-8 without one")
    try:
        file = msgspec.json.decode(content, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CatalogFileInvalid(" ".join(str(error).split()) or "nested too deeply") from error
    _reject_repeats((event.event_id for event in file.events), "$.events[{}].eventId")
    return [_loaded(event, f"$.events[{index}]") for index, event in enumerate(file.events)]


def _loaded(entry: _Event, path: str) -> LoadedEvent:
    _reject_unstorable(entry.name, f"{path}.name")
    try:
        event = TicketedEvent(
            event_id=entry.event_id,
            name=entry.name,
            starts_at=entry.starts_at,
            status=SaleStatus(entry.status),
            currency=entry.currency,
        )
    except InvalidValue as error:
        raise CatalogFileInvalid(f"{error} - at `{path}`") from error
    _reject_repeats((seat.seat_id for seat in entry.seats), path + ".seats[{}].seatId")
    places = ((seat.row, seat.number) for seat in entry.seats)
    _reject_repeats((f"row {row} number {number}" for row, number in places), path + ".seats[{}]")
    seats = [_seat(seat, entry.currency, f"{path}.seats[{index}]") for index, seat in enumerate(entry.seats)]
    return LoadedEvent(event, seats)


def _seat(entry: _Seat, currency: str, path: str) -> Seat:
    _reject_unstorable(entry.row, f"{path}.row")
    try:
        seat = Seat(seat_id=entry.seat_id, row=entry.row, number=entry.number, price=entry.price)
    except InvalidValue as error:
        raise CatalogFileInvalid(f"{error} - at `{path}`") from error
    exponent = entry.price.as_tuple().exponent
    if not isinstance(exponent, int) or -exponent > decimals_of(currency):
        raise CatalogFileInvalid(f"price has more decimals than {currency} - at `{path}.price`")
    return seat


def _reject_repeats(ids: Iterable[Hashable], path: str) -> None:
    seen: set[Hashable] = set()
    for index, each in enumerate(ids):
        if each in seen:
            raise CatalogFileInvalid(f"{each} is there twice - at `{path.format(index)}`")
        seen.add(each)


def _reject_unstorable(text: str, path: str) -> None:
    if not is_storable(text):
        raise CatalogFileInvalid(f"must not hold NUL or unpaired surrogates - at `{path}`")


def load_event(loaded: LoadedEvent, *, store: Store, at_once: int = SEATS_PER_TRANSACTION) -> int:
    """Store the event and its seats, which never become stale; return the number of seats. Idempotent.

    A transaction stores at most `at_once` seats. Seats that only the store has are withdrawn from sale. While the
    currency of an event changes, the event is not on sale: its seats still have old prices. Raises ServiceBusy.
    """
    event, seats = loaded.event, sorted(loaded.seats, key=lambda seat: seat.seat_id)
    known = store.reads.event(event.event_id)
    whole = known is not None and known.event.currency == event.currency
    _put(event if whole else evolve(event, status=SaleStatus.DRAFT), store, complete=False)
    for start in range(0, len(seats), at_once):
        _put_seats(event, seats[start : start + at_once], store)

    def finish(uow: UnitOfWork) -> None:
        uow.events.withdraw_seats(event.event_id, [seat.seat_id for seat in seats])
        uow.events.put(event, ages=False, complete=True)
        uow.commit()

    in_unit_of_work(store, finish)
    return len(seats)


def _put(event: TicketedEvent, store: Store, *, complete: bool) -> None:
    def work(uow: UnitOfWork) -> None:
        uow.events.put(event, ages=False, complete=complete)
        uow.commit()

    in_unit_of_work(store, work)


def _put_seats(event: TicketedEvent, seats: Sequence[Seat], store: Store) -> None:
    def work(uow: UnitOfWork) -> None:
        uow.events.put_seats(event.event_id, seats)
        uow.commit()

    in_unit_of_work(store, work)
