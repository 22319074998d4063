"""Nobody loses their place: after a reload, after a careless click, while an answer is awaited, on a small screen."""

import re
from typing import Any

from playwright.sync_api import Route, expect

from tests.integration.browser.seat_map import OpenMap

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def test_a_hold_is_still_open_after_a_reload(open_map: OpenMap) -> None:
    page = open_map("reta")
    page.hold("Row C, seat 18", "Row C, seat 19", "Row C, seat 20")
    page.page.reload()
    page.expect_heading("3 seats held for you")
    expect(page.timer).to_have_text(re.compile(r"^(10:00|9:\d\d)$"))
    expect(page.panel).to_contain_text("Row C, seats 18 to 20")
    page.page.get_by_label("You are").fill("somebody else")
    page.press("Switch")
    page.expect_heading("Pick your seats")


def test_a_hold_is_counted_down_also_while_other_seats_are_picked(open_map: OpenMap) -> None:
    page = open_map("rilke")
    page.hold("Row D, seat 20")
    page.click_seat("Row D, seat 19")
    page.expect_heading("1 seat picked")
    mine = page.page.get_by_role("button", name="Garden Stage 1 seat, 48.00 EUR")
    expect(mine).to_have_accessible_name(re.compile(r"Held (10:00|9:\d\d)$"))


def test_a_ticket_is_not_cancelled_by_one_click(open_map: OpenMap) -> None:
    page = open_map("ruth")
    booking_id = page.hold("Row D, seat 17")
    page.press("Pay 48.00 EUR")
    page.press("Cancel booking")
    focus = page.page.locator(":focus")
    expect(focus).to_have_text("Keep it")
    page.page.keyboard.press("Enter")
    expect(focus).to_have_text("Cancel booking")
    assert page.booking(booking_id)["status"] == "CONFIRMED"


def test_who_waits_for_an_answer_keeps_the_button(open_map: OpenMap) -> None:
    page = open_map("rhea")
    page.hold("Row D, seat 16")
    kept: list[Route] = []
    page.page.route("**/dev/payments", lambda route: kept.append(route))
    pay, focus = page.page.get_by_role("button", name="Pay 48.00 EUR"), page.page.locator(":focus")
    pay.focus()
    with page.page.expect_request("**/dev/payments"):
        page.page.keyboard.press("Enter")
    expect(focus).to_have_text("One moment…")
    page.page.keyboard.press("Enter")  # asks for nothing
    kept[0].abort()
    page.expect_notice("No answer came")
    expect(focus).to_have_text("Pay 48.00 EUR")
    assert len(kept) == 1


def test_held_seats_are_still_in_sight_on_a_phone(open_map: OpenMap) -> None:
    page = open_map("runa", **PHONE)
    page.press("Larger")
    page.hold("Row L, seat 17")
    page.until("""() => {
        const box = (each) => document.querySelector(each).getBoundingClientRect();
        const [seat, hall] = [box(".seats .mine"), box("#scroll")];
        return seat.top >= hall.top && seat.bottom <= hall.bottom && seat.left >= hall.left && seat.right <= hall.right;
    }""")
