"""The page opened twice: each sees the other one's seats go."""

from playwright.sync_api import expect

from tests.integration.browser.seat_map import OpenMap, SeatMap, hold_elsewhere, stage_of
from tests.support.dev import Dev


def test_the_other_ones_seats_go_and_come_back(open_map: OpenMap) -> None:
    anna, otto = open_map("anna"), open_map("otto")
    anna.click_seat("Row K, seat 1")
    anna.click_seat("Row K, seat 2")
    otto.hold("Row K, seat 2", "Row K, seat 3")
    anna.expect_notice("Taken by somebody else just now: Row K, seat 2.", "your other 1 seat")
    anna.expect_seat("Row K, seat 3", "held by somebody else")
    anna.expect_heading("1 seat picked")
    expect(anna.seat("Row K, seat 3")).to_have_attribute("aria-disabled", "true")

    otto.press("Pay 48.00 EUR")
    anna.expect_seat("Row K, seat 3", "sold")
    anna.click_seat("Row K, seat 3")
    anna.expect_notice("Row K, seat 3, 24.00 EUR, sold: it can't be picked.")

    otto.cancel_ticket("48.00 EUR will be paid back.")
    anna.expect_seat("Row K, seat 3", "available")


def test_a_second_tab_of_the_same_customer_shows_the_same_bookings(open_map: OpenMap, dev: Dev) -> None:
    first = open_map("petra")
    second = SeatMap(first.page.context.new_page(), dev, "petra")
    second.open(stage_of(dev))
    second.click_seat("Row L, seat 1")
    first.hold("Row L, seat 1")
    second.expect_seat("Row L, seat 1", "booked by you")
    expect(second.page.get_by_role("alert")).to_be_empty()
    second.page.get_by_role("button", name="1 seat, 24.00 EUR Held").click()
    second.expect_heading("1 seat held for you")
    second.press("Pay 24.00 EUR")
    first.expect_heading("Your ticket")


def test_each_tab_has_a_name_and_keeps_it(open_map: OpenMap, dev: Dev) -> None:
    page = open_map("nora").page
    name = page.get_by_label("You are")
    expect(name).to_have_value("nora")
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Open as somebody else").click()
    other = opened.value.get_by_label("You are")
    expect(other).not_to_have_value("")
    assert other.input_value() != "nora"
    page.goto(dev.url)
    expect(name).to_have_value("nora")


def test_tabs_without_a_name_are_different_customers(open_map: OpenMap, dev: Dev) -> None:
    context = open_map("olga").page.context
    names = set()
    for _ in range(8):
        page = context.new_page()
        page.goto(dev.url)
        names.add(page.get_by_label("You are").input_value())
        page.close()
    assert len(names) == 8


def test_after_the_first_look_a_letter_for_each_seat_is_read(open_map: OpenMap) -> None:
    page = open_map("pia").page
    with page.expect_response("**/seats?format=compact") as response:
        pass
    assert len(response.value.body()) < 600


def test_somebody_else_sits_down(open_map: OpenMap, dev: Dev) -> None:
    hold_elsewhere(dev, "vera", "Row L, seat 9")
    page = open_map("ulla")
    page.expect_seat("Row L, seat 9", "held by somebody else")
    page.page.get_by_label("You are").fill("vera")
    page.press("Switch")
    page.expect_seat("Row L, seat 9", "booked by you")
    page.expect_heading("Bookings of vera")
    page.click_seat("Row L, seat 9")
    page.expect_heading("1 seat held for you")


def test_another_event_is_another_hall(open_map: OpenMap) -> None:
    page = open_map("edda")
    page.page.get_by_label("Event", exact=True).select_option("Jazz Night, Cellar Club")
    expect(page.seats()).to_have_count(60)
    page.hold("Row E, seat 12")
    page.page.get_by_label("Event", exact=True).select_option("A Midsummer Night's Dream, Garden Stage")
    expect(page.seats()).to_have_count(240)
    page.page.get_by_label("Event", exact=True).select_option("Jazz Night, Cellar Club")
    page.expect_seat("Row E, seat 12", "booked by you")
