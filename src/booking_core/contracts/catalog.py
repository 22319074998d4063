"""The conformance suite of a Catalog. Each test takes a factory; under pytest, this is the fixture `catalog_of`:

@pytest.fixture
def catalog_of():
    with ExitStack() as made:
        yield lambda known: made.enter_context(closing(MyCatalog(...)))  # knows these events and seats, no others

class TestMyCatalog(CatalogContract): ...
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from booking_core.domain.values import SaleStatus, Seat, TicketedEvent
from booking_core.ports.catalog import Catalog

Known = Mapping[TicketedEvent, Sequence[Seat]]
"""The content of a Catalog: its events, each with its seats."""

CatalogFactory = Callable[[Known], Catalog]
"""Creates a Catalog with this content. The fixture that provides it closes the Catalog."""


def _id(number: int) -> UUID:
    return UUID(int=0xABCDEF00_0000_4000_8000_000000000000 + number)


def _event(number: int, status: SaleStatus = SaleStatus.ON_SALE, currency: str = "USD") -> TicketedEvent:
    return TicketedEvent(
        event_id=_id(number),
        name=f"Événement {number} 🎭",
        starts_at=datetime(2031, 5, 6, 19, 30, 15, 250_000, tzinfo=UTC),
        status=status,
        currency=currency,
    )


def _seats(first: int, prices: Sequence[str]) -> list[Seat]:
    return [
        Seat(seat_id=_id(first + place), row="Ä", number=place, price=Decimal(price))
        for place, price in enumerate(prices)
    ]


_HALL: Final = _event(1)
_HALL_SEATS: Final = _seats(1000, ["0.10", "75.00", "99999999999.99", "0.00", *["12.34"] * 246])
_YEN: Final = _event(2, currency="JPY")
_YEN_SEATS: Final = _seats(2000, ["7500", "0"])
_DINAR: Final = _event(3, SaleStatus.CANCELLED, "KWD")
_DINAR_SEATS: Final = _seats(3000, ["1.125"])
_EMPTY: Final = _event(4, SaleStatus.DRAFT)
_UNKNOWN: Final = _event(5)
_KNOWN: Final[Known] = {_HALL: _HALL_SEATS, _YEN: _YEN_SEATS, _DINAR: _DINAR_SEATS, _EMPTY: []}


class CatalogContract:
    """The promises of `booking_core.ports.Catalog` that can be tested without a faulty server."""

    def test_event_returns_the_event_unchanged(self, catalog_of: CatalogFactory) -> None:
        catalog = catalog_of(_KNOWN)
        for event in _KNOWN:
            assert catalog.event(event.event_id) == event

    def test_event_for_an_unknown_id_returns_none(self, catalog_of: CatalogFactory) -> None:
        assert catalog_of(_KNOWN).event(_UNKNOWN.event_id) is None

    def test_seats_without_ids_returns_all_seats(self, catalog_of: CatalogFactory) -> None:
        catalog = catalog_of(_KNOWN)
        for event, seats in _KNOWN.items():
            assert _sorted(catalog.seats(event)) == seats

    def test_prices_are_exact_and_fit_the_currencys_decimals(self, catalog_of: CatalogFactory) -> None:
        catalog = catalog_of(_KNOWN)
        assert [seat.price for seat in _sorted(catalog.seats(_YEN))] == [Decimal(7500), Decimal(0)]
        assert [seat.price for seat in _sorted(catalog.seats(_DINAR))] == [Decimal("1.125")]

    def test_seats_with_ids_returns_only_the_known_ones(self, catalog_of: CatalogFactory) -> None:
        catalog = catalog_of(_KNOWN)
        wanted = [_HALL_SEATS[3].seat_id, _id(999_999), _YEN_SEATS[0].seat_id, _HALL_SEATS[0].seat_id]
        assert _sorted(catalog.seats(_HALL, wanted)) == [_HALL_SEATS[0], _HALL_SEATS[3]]

    def test_seats_with_a_repeated_id_returns_the_seat_once(self, catalog_of: CatalogFactory) -> None:
        wanted = [_HALL_SEATS[1].seat_id] * 250
        assert _sorted(catalog_of(_KNOWN).seats(_HALL, wanted)) == [_HALL_SEATS[1]]

    def test_seats_with_an_empty_list_returns_no_seats(self, catalog_of: CatalogFactory) -> None:
        assert list(catalog_of(_KNOWN).seats(_HALL, []) or ()) == []

    def test_seats_accepts_hundreds_of_ids(self, catalog_of: CatalogFactory) -> None:
        wanted = {seat.seat_id for seat in _HALL_SEATS}
        assert _sorted(catalog_of(_KNOWN).seats(_HALL, wanted)) == _HALL_SEATS

    def test_seats_of_an_unknown_event_returns_none(self, catalog_of: CatalogFactory) -> None:
        catalog = catalog_of(_KNOWN)
        assert catalog.seats(_UNKNOWN) is None
        assert catalog.seats(_UNKNOWN, [_HALL_SEATS[0].seat_id]) is None

    def test_concurrent_calls_from_many_threads_succeed(self, catalog_of: CatalogFactory) -> None:
        catalog = catalog_of(_KNOWN)

        def ask(turn: int) -> bool:
            event = list(_KNOWN)[turn % len(_KNOWN)]
            return catalog.event(event.event_id) == event and _sorted(catalog.seats(event)) == _KNOWN[event]

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(ask, range(64)))

    def test_close_twice_and_before_the_first_request_succeeds(self, catalog_of: CatalogFactory) -> None:
        catalog = catalog_of(_KNOWN)
        catalog.close()
        catalog.close()


def _sorted(seats: Sequence[Seat] | None) -> list[Seat]:
    assert seats is not None
    return sorted(seats, key=lambda seat: seat.seat_id)
