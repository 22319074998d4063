"""Valid responses are parsed exactly; an invalid one raises an error that names the problem and its place."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from booking_catalog import responses
from booking_catalog.responses import parse_event, parse_seats
from booking_core.domain.values import MAX_PRICE, SaleStatus, Seat, TicketedEvent, decimals_of
from booking_core.ports.catalog import CatalogAnswerInvalid

ID = UUID("0b8f1c1e-0000-4000-8000-0000000000ab")
OTHER = UUID("0b8f1c1e-0000-4000-8000-0000000000ac")
EVENT = {"eventId": str(ID), "name": "N", "startsAt": "2031-01-02T20:00:00+02:00", "status": "DRAFT", "currency": "EUR"}
SEAT = {"seatId": str(ID), "row": "A", "number": 7, "price": 1.5}
GONE = object()


def answer(data: Any) -> bytes:
    return json.dumps({"success": True, "data": data}).encode()


def changed(whole: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in {**whole, **changes}.items() if value is not GONE}


def priced(literal: str) -> bytes:
    return answer([{**SEAT, "price": "PRICE"}]).replace(b'"PRICE"', literal.encode())


def test_an_event_is_read_and_its_start_given_in_utc() -> None:
    event = parse_event(answer({**EVENT, "unknown": [1.5, {"x": None}]}), ID)
    assert event == TicketedEvent(
        event_id=ID,
        name="N",
        starts_at=datetime(2031, 1, 2, 18, tzinfo=UTC),
        status=SaleStatus.DRAFT,
        currency="EUR",
    )
    assert event.starts_at.tzinfo is UTC


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"name": "x" * 256}, "name", "x" * 254 + "…"),
        ({"name": "x" * 1_000_000}, "name", "x" * 254 + "…"),
        ({"currency": "usd"}, "currency", "USD"),
        ({"status": "SOLD_OUT"}, "status", SaleStatus.DRAFT),
        ({"status": "on_sale"}, "status", SaleStatus.DRAFT),
        ({"status": ""}, "status", SaleStatus.DRAFT),
    ],
)
def test_what_can_be_understood_is(changes: dict[str, Any], field: str, value: Any) -> None:
    assert getattr(parse_event(answer({**EVENT, **changes}), ID), field) == value


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"status": "CANCELLED", "name": None}, SaleStatus.CANCELLED),
        ({"status": "CANCELLED", "startsAt": "TBA"}, SaleStatus.CANCELLED),
        ({"status": "POSTPONED", "startsAt": GONE}, SaleStatus.DRAFT),
        ({"status": "ON_SALE", "currency": None}, None),
        ({"status": "CANCELLED", "eventId": str(OTHER)}, None),
        ({"status": None}, None),
    ],
)
def test_a_status_that_stops_the_sale_is_understood(changes: dict[str, Any], status: SaleStatus | None) -> None:
    """Whatever else of the answer cannot be."""
    with pytest.raises(CatalogAnswerInvalid) as caught:
        parse_event(answer(changed(EVENT, changes)), ID)
    assert caught.value.sale_status is status


def test_a_byte_order_mark_is_ignored() -> None:
    assert parse_event(b"\xef\xbb\xbf" + answer(EVENT), ID).name == "N"
    assert len(parse_seats(b"\xef\xbb\xbf" + answer([SEAT]), "EUR")) == 1


def test_a_seat_that_is_there_twice_the_same_counts_once() -> None:
    assert len(parse_seats(answer([SEAT, {**SEAT, "price": 1.50, "x": 1}]), "EUR")) == 1


def test_seats_are_read() -> None:
    other = {**SEAT, "seatId": str(OTHER), "row": "", "number": 2**31 - 1, "price": 0, "unknown": 1}
    assert parse_seats(answer([SEAT, other]), "EUR") == [
        Seat(seat_id=ID, row="A", number=7, price=Decimal("1.50")),
        Seat(seat_id=OTHER, row="", number=2**31 - 1, price=Decimal(0)),
    ]


@pytest.mark.parametrize(
    ("literal", "currency", "price"),
    [
        ("0.1", "USD", "0.10"),
        ("75", "USD", "75.00"),
        ("75.000", "USD", "75.00"),
        ("7.5e1", "USD", "75.00"),
        ("-0.0", "USD", "0.00"),
        ("0e-99999999", "USD", "0.00"),
        ("99999999999.99", "USD", "99999999999.99"),
        ("7500", "JPY", "7500"),
        ("7500.0", "JPY", "7500"),
        ("1.125", "KWD", "1.125"),
        ("0.30000000000000004", "USD", "0.30"),
        ("59.969999999999995", "USD", "59.97"),
        ("1e-400", "USD", "0.00"),
        ("0.1000000000000000000000000000000000001", "USD", "0.10"),
    ],
)
def test_a_price_is_exact_and_written_with_the_currency_s_decimals(literal: str, currency: str, price: str) -> None:
    assert str(parse_seats(priced(literal), currency)[0].price) == price


@pytest.mark.parametrize(
    ("literal", "problem"),
    [
        ("-0.01", "price -0.01 is not from 0"),
        ("100000000000", "is not from 0 to below 100000000000"),
        ("1e400", "is not from 0"),
        ("1e99999999999999999999", "is not from 0"),
        ("9" * 5000, "out of range"),
        ("0.001", "more decimals than USD, which has 2"),
        ("75.005", "more decimals"),
        ("0.0001", "more decimals"),
        ("NaN", "not JSON"),
        ("Infinity", "not JSON"),
        ('"75.00"', "is a string, not a number"),
        ("true", "is a boolean"),
        ("null", "is null"),
        ("[1]", "is an array"),
    ],
)
def test_an_impossible_price_is_rejected(literal: str, problem: str) -> None:
    assert_rejected(lambda: parse_seats(priced(literal), "USD"), problem)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"eventId": str(OTHER)}, f"eventId is {OTHER}, but {ID} was asked for"),
        ({"eventId": "7"}, "`$.data.eventId`"),
        ({"eventId": GONE}, "missing required field `eventId`"),
        ({"name": GONE}, "missing required field `name`"),
        ({"name": None}, "`$.data.name`"),
        ({"name": "a\0b"}, "a NUL character - at `$.data.name`"),
        ({"name": "\ud800"}, "not JSON"),
        ({"startsAt": "2031-01-02T20:00:00"}, "timezone"),
        ({"startsAt": "soon"}, "`$.data.startsAt`"),
        ({"startsAt": 1924984800}, "`$.data.startsAt`"),
        ({"startsAt": "0001-01-01T00:00:00+14:00"}, "outside the calendar"),
        ({"startsAt": "9999-12-31T23:59:59-14:00"}, "outside the calendar"),
        ({"status": None}, "`$.data.status`"),
        ({"status": 7}, "`$.data.status`"),
        ({"status": GONE}, "missing required field `status`"),
        ({"currency": "uß"}, "three capital letters"),
        ({"currency": "USD\n"}, "three capital letters"),
        ({"currency": "US"}, "three capital letters"),
        ({"currency": 840}, "`$.data.currency`"),
    ],
)
def test_an_impossible_event_is_rejected(changes: dict[str, Any], problem: str) -> None:
    assert_rejected(lambda: parse_event(answer(changed(EVENT, changes)), ID), problem)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"seatId": str(OTHER), "price": 2},
            f"seatId {OTHER} is there twice and differs, the second time at $.data[1]",
        ),
        ({"seatId": 5}, "`$.data[1].seatId`"),
        ({"seatId": GONE}, "missing required field `seatId` - at `$.data[1]`"),
        ({"row": 5}, "`$.data[1].row`"),
        ({"row": "x" * 256}, "`$.data[1].row`"),
        ({"row": "\0"}, "a NUL character - at `$.data[1].row`"),
        ({"row": GONE}, "missing required field `row`"),
        ({"number": -1}, "`$.data[1].number`"),
        ({"number": 2**31}, "`$.data[1].number`"),
        ({"number": 10**400}, "`$.data[1].number`"),
        ({"number": True}, "`$.data[1].number`"),
        ({"number": 1.5}, "`$.data[1].number`"),
        ({"number": "1"}, "`$.data[1].number`"),
        ({"price": GONE}, "missing required field `price`"),
    ],
)
def test_an_impossible_seat_is_rejected(changes: dict[str, Any], problem: str) -> None:
    seats = [{**SEAT, "seatId": str(OTHER)}, changed(SEAT, changes)]
    assert_rejected(lambda: parse_seats(answer(seats), "EUR"), problem)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "not JSON"),
        (b"<html>\n<b>", "not JSON: JSON is malformed: invalid character (byte 0) - in `$`, which starts with '<html>"),
        (b"\xff\xfe", "not JSON"),
        (b'{"success": true, "data": 1} x', "not JSON"),
        (b"\xef\xbb\xbf{}", "missing required field `success`"),
        (b"null", "Expected `object`, got `null` - at `$`"),
        (b"[]", "Expected `object`, got `array` - at `$`"),
        (b"{}", "missing required field `success`"),
        (b'{"success": 1, "data": []}', "`$.success`"),
        (b'{"success": "true", "data": []}', "`$.success`"),
        (b'{"success": false, "data": 5}', "success is false"),
        (b'{"success": true}', "data is missing"),
        (b'{"success": true, "data": null}', "got `null` - at `$.data`"),
        (b'{"success": true, "data": "\xff"}', "`$.data`"),
        (b'{"success": true, "data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"success": true, "x": ' + b'{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_an_impossible_answer_is_rejected(body: bytes, problem: str) -> None:
    assert_rejected(lambda: parse_event(body, ID), problem)
    assert_rejected(lambda: parse_seats(body, "EUR"), problem)


def test_text_that_is_no_utf_8_is_rejected() -> None:
    assert_rejected(lambda: parse_event(answer({**EVENT, "name": "NAME"}).replace(b"NAME", b"\xff"), ID), "not JSON")
    assert_rejected(
        lambda: parse_seats(answer([{**SEAT, "row": "ROW"}]).replace(b"ROW", b"\xed\xa0\x80"), "EUR"), "not JSON"
    )


def test_a_seat_that_the_domain_refuses_is_nonsense_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responses, "MAX_PRICE", MAX_PRICE * 10)
    assert_rejected(lambda: parse_seats(priced(str(MAX_PRICE)), "EUR"), "price must be below")


def assert_rejected(ask: Any, problem: str) -> None:
    with pytest.raises(CatalogAnswerInvalid) as caught:
        ask()
    assert problem in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) <= 300


@given(amount=st.decimals(0, MAX_PRICE - 1, places=4), currency=st.sampled_from(["JPY", "USD", "KWD", "CLF"]))
def test_a_price_is_either_exactly_that_or_assert_rejected(amount: Decimal, currency: str) -> None:
    fits = abs(amount - round(amount, decimals_of(currency))) * 10 ** decimals_of(currency) <= Decimal("0.001")
    try:
        [seat] = parse_seats(priced(str(amount)), currency)
    except CatalogAnswerInvalid:
        assert not fits
    else:
        assert fits
        assert seat.price == round(amount, decimals_of(currency))
        assert seat.price.as_tuple().exponent == -decimals_of(currency)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(
    event=st.dictionaries(st.sampled_from([*EVENT]), json_values, max_size=3),
    seats=st.lists(st.dictionaries(st.sampled_from([*SEAT]), json_values, max_size=2), max_size=3),
)
def test_no_json_whatever_makes_another_error(event: dict[str, Any], seats: list[dict[str, Any]]) -> None:
    parse_both(answer({**EVENT, **event}), answer([{**SEAT, **seat} for seat in seats]))


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
@example(b'{"success":true,"data":[{"seatId":"\\ud83d\\udE00","row":"\\uDC00","number":1,"price":1E5}]}')
def test_no_bytes_whatever_make_another_error(body: bytes) -> None:
    parse_both(body, body)


def parse_both(event: bytes, seats: bytes) -> None:
    for ask in (lambda: parse_event(event, ID), lambda: parse_seats(seats, "EUR")):
        with suppress(CatalogAnswerInvalid):
            ask()
