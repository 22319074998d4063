"""The file catalog: what it says is loaded exactly, and what it must not say is named by its path."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from attrs import evolve

from booking_core.domain.values import SaleStatus, SeatStatus
from booking_core.ports.reads import Page
from booking_memory.store import MemoryStore
from booking_service.catalog_file import CatalogFileInvalid, load_event, parse_catalog, read_catalog_file

EVENT = "018f2b6a-7c1d-7e3a-9b4c-5d6e7f809101"


def seat(which: int, **changes: Any) -> dict[str, Any]:
    return {"seatId": str(UUID(int=which)), "row": "A", "number": which, "price": 75.5, **changes}


def event(**changes: Any) -> dict[str, Any]:
    return {
        "eventId": EVENT,
        "name": "Gala",
        "startsAt": "2030-05-01T19:00:00+02:00",
        "currency": "EUR",
        "seats": [seat(1), seat(2)],
        **changes,
    }


def text(*events: Any) -> bytes:
    return json.dumps({"events": events}).encode()


def test_what_the_file_says() -> None:
    (loaded,) = parse_catalog(text(event()))

    assert (loaded.event.event_id, loaded.event.name) == (UUID(EVENT), "Gala")
    assert loaded.event.status is SaleStatus.ON_SALE
    assert loaded.event.starts_at.isoformat() == "2030-05-01T19:00:00+02:00"
    assert [(each.number, each.price) for each in loaded.seats] == [(1, Decimal("75.5")), (2, Decimal("75.5"))]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "Input data was truncated"),
        (b"\xff", "malformed"),
        (b"[]", "Expected `object`"),
        (b"[" * 100_000, "."),
        (b"{}", "missing required field `events`"),
        (text(event(name="")), r"\$\.events\[0\]\.name"),
        (text(event(name="a\x00")), r"NUL.*\$\.events\[0\]\.name"),
        (
            text(event(), event(eventId=str(UUID(int=9)), colour="red")),
            r"unknown field `colour` - at `\$\.events\[1\]`",
        ),
        (text(event(), event()), r"twice - at `\$\.events\[1\]\.eventId`"),
        (text(event(eventId="7")), r"\$\.events\[0\]\.eventId"),
        (text(event(startsAt="2030-05-01T19:00:00")), r"\$\.events\[0\]\.startsAt"),
        (text(event(startsAt="1899-12-31T23:00:00Z")), r"starts_?[aA]t must be between the years 1900 and 9000.*\[0\]"),
        (text(event(startsAt="9001-01-01T00:00:00Z")), r"starts_?[aA]t must be between the years 1900 and 9000.*\[0\]"),
        (text(event(status="SOLD_OUT")), r"\$\.events\[0\]\.status"),
        (text(event(currency="euro")), r"currency must be three.*\$\.events\[0\]"),
        (text(event(seats=[seat(1), seat(1)])), r"twice - at `\$\.events\[0\]\.seats\[1\]\.seatId`"),
        (
            text(event(seats=[seat(1), seat(2, number=1)])),
            r"row A number 1 is there twice - at `\$\.events\[0\]\.seats\[1\]`",
        ),
        (b"\xef\xbb\xbf" + text(event()), "byte order mark: save it as UTF-8 without"),
        (text(event(seats=[seat(1, price=-1)])), r"price must be.*\$\.events\[0\]\.seats\[0\]"),
        (text(event(seats=[seat(1, price=1.005)])), r"decimals than EUR.*\$\.events\[0\]\.seats\[0\]\.price"),
        (text(event(currency="JPY")), r"decimals than JPY"),
        (text(event(seats=[seat(1, price="NaN")])), r"price must be.*\$\.events\[0\]\.seats\[0\]"),
        (text(event(seats=[seat(1, number=2**31)])), r"\$\.events\[0\]\.seats\[0\]\.number"),
        (text(event(seats=[seat(1, number=True)])), r"\$\.events\[0\]\.seats\[0\]\.number"),
        (text(event(seats=[seat(1, row="\x00")])), r"NUL.*\$\.events\[0\]\.seats\[0\]\.row"),
    ],
)
def test_what_is_wrong_is_one_line_with_its_path(content: bytes, complaint: str) -> None:
    with pytest.raises(CatalogFileInvalid, match=complaint) as error:
        parse_catalog(content)

    assert len(str(error.value).splitlines()) == 1


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CatalogFileInvalid, match=r"nowhere\.json: No such file"):
        read_catalog_file(tmp_path / "nowhere.json")


def seat_statuses(store: MemoryStore) -> dict[int, SeatStatus]:
    return {each.seat.number: each.status for each in store.reads.seats(UUID(EVENT)).seats}


def test_loading_is_complete_ageless_and_idempotent() -> None:
    store = MemoryStore()
    (loaded,) = parse_catalog(text(event(seats=[seat(number) for number in range(1, 6)])))

    assert [load_event(loaded, store=store, at_once=2), load_event(loaded, store=store, at_once=2)] == [5, 5]

    known = store.reads.event(UUID(EVENT))
    assert known is not None
    assert (known.event, known.complete, known.age_seconds) == (loaded.event, True, None)
    assert len(seat_statuses(store)) == 5
    assert store.reads.events(Page()).total == 1


def test_loading_again_changes_prices_and_withdraws_seats() -> None:
    store = MemoryStore()
    for seats in ([seat(1), seat(2)], [seat(2, price=80)]):
        (loaded,) = parse_catalog(text(event(seats=seats)))
        load_event(loaded, store=store)

    (left,) = store.reads.seats(UUID(EVENT)).seats
    assert (left.seat.number, left.seat.price) == (2, Decimal(80))


def test_a_change_of_currency_is_never_on_sale_with_old_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    (loaded,) = parse_catalog(text(event()))
    load_event(loaded, store=store)
    seen: list[SaleStatus] = []

    def looking(*arguments: Any) -> None:
        known = store.reads.event(UUID(EVENT))
        assert known is not None
        seen.append(known.event.status)

    monkeypatch.setattr("booking_service.catalog_file._put_seats", looking)
    load_event(evolve(loaded, event=evolve(loaded.event, currency="USD")), store=store)

    assert seen == [SaleStatus.DRAFT]
    after = store.reads.event(UUID(EVENT))
    assert after is not None
    assert after.event.status is SaleStatus.ON_SALE
