"""How a hall is drawn from rows and numbers alone: the module itself, as the browser runs it."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.support.dev import Dev

Seats = Sequence[tuple[str, int, float]]

LAY_OUT = """async (seats) => {
    const { layOut } = await import("/dev/seat-map/geometry.js");
    return layOut(seats.map(([row, number, price], index) => ({ seatId: `${index}`, row, number, price })));
}"""
MONEY = """async ([amount, currency]) => (await import("/dev/seat-map/words.js")).money(amount, currency)"""


@pytest.fixture(scope="module")
def page(browser: Browser, dev: Dev) -> Iterator[Page]:
    with browser.new_page() as opened:
        opened.goto(dev.url)
        yield opened


def lay_out(page: Page, seats: Seats) -> dict[str, Any]:
    hall: dict[str, Any] = page.evaluate(LAY_OUT, list(seats))
    return hall


def across(hall: dict[str, Any], row: int = 0) -> list[float]:
    return [spot["x"] for spot in hall["rows"][row]["spots"]]


@pytest.mark.parametrize(
    ("names", "in_order"),
    [
        (["B", "AB", "A", "AA", "Z"], ["A", "B", "Z", "AA", "AB"]),
        (["10", "2", "1"], ["1", "2", "10"]),
        (["Box 10", "Box 9"], ["Box 9", "Box 10"]),
    ],
)
def test_rows_stand_in_the_order_of_their_names(page: Page, names: list[str], in_order: list[str]) -> None:
    hall = lay_out(page, [(name, 1, 10) for name in names])
    assert [row["name"] for row in hall["rows"]] == in_order
    heights = [row["spots"][0]["y"] for row in hall["rows"]]
    assert heights == sorted(heights)


def test_equal_numbers_stand_behind_each_other_also_where_seats_are_missing(page: Page) -> None:
    hall = lay_out(page, [*(("A", number, 10.0) for number in range(1, 7)), ("B", 5, 10.0), ("B", 3, 10.0)])
    places = {spot["seat"]["number"]: spot["x"] for spot in hall["rows"][0]["spots"]}
    assert across(hall, 1) == [places[3], places[5]]


def test_numbers_that_say_nothing_of_places_do_not_tear_the_hall_apart(page: Page) -> None:
    assert across(lay_out(page, [("A", 1, 10), ("A", 100_000, 10)])) == [-12, 12]
    assert len(set(across(lay_out(page, [("A", 7, 10), ("A", 7, 10)])))) == 2


def test_no_two_seats_overlap_and_all_are_in_the_picture(page: Page) -> None:
    hall = lay_out(page, [(f"{row:02}", number, 10) for row in range(50) for number in range(1, 41)])
    spots = [(spot["x"], spot["y"]) for row in hall["rows"] for spot in row["spots"]]
    assert len(spots) == 2000
    for x, y in spots:
        assert abs(x) <= hall["width"] / 2 - 12
        assert hall["stage"] - 60 <= y <= hall["height"] - 12
    for row in hall["rows"]:
        for left, right in zip(row["spots"], row["spots"][1:], strict=False):
            assert right["x"] - left["x"] >= 24


def test_rows_of_one_price_are_one_zone(page: Page) -> None:
    prices = {"A": 30, "B": 30, "C": 20, "D": 30}
    seats = [(row, number, price) for row, price in prices.items() for number in (1, 2)]
    hall = lay_out(page, [*seats, ("E", 1, 30), ("E", 2, 20)])
    assert [(zone["price"], zone["from"], zone["to"]) for zone in hall["zones"]] == [(30, 0, 1), (20, 2, 2), (30, 3, 3)]
    assert hall["prices"] == [30, 20]


def test_a_single_seat_and_none_at_all_are_halls_too(page: Page) -> None:
    assert across(lay_out(page, [("A", 1, 10)])) == [0]
    assert lay_out(page, [])["rows"] == []


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [(45, "EUR", "45.00 EUR"), (0.1 + 0.2, "USD", "0.30 USD"), (1200, "JPY", "1200 JPY"), (1.5, "KWD", "1.500 KWD")],
)
def test_money_has_the_decimals_of_its_currency(page: Page, amount: float, currency: str, written: str) -> None:
    assert page.evaluate(MONEY, [amount, currency]) == written
