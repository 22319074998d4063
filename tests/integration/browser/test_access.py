"""The page without a mouse, and without eyes."""

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped] # it has none
from playwright.sync_api import Page, expect

from tests.integration.browser.seat_map import OpenMap, stage_of
from tests.support.dev import Dev

# WCAG 2.2 up to AA, and what is best practice besides.
_RULES = {"resultTypes": ["violations"]}


def violations(page: Page) -> list[tuple[str, Any]]:
    found = Axe().run(page, options=_RULES).response["violations"]
    return [(each["id"], [node["html"][:200] for node in each["nodes"][:3]]) for each in found]


def small_hall(dev: Dev) -> str:
    """An event with the same parts and fewer seats: axe looks at every one of them."""
    [found] = [each["eventId"] for each in dev.events(dev.token("axel")) if each["name"].startswith("Jazz Night")]
    return str(found)


def test_booking_with_the_keyboard_alone(open_map: OpenMap, dev: Dev) -> None:
    page = open_map("kira", event_id=dev.event_id)
    keys, focus = page.page.keyboard, page.page.locator(":focus")
    page.page.get_by_role("button", name="Whole hall").focus()
    keys.press("Tab")
    expect(focus).to_have_attribute("aria-label", re.compile("^Row 01, seat 1, 120.00 EUR"))
    for key, place in {
        "PageDown": "Row 06, seat 1",
        "End": "Row 06, seat 40",
        "ArrowLeft": "Row 06, seat 39",
        "ArrowUp": "Row 05, seat 39",
        "Control+Home": "Row 01, seat 1",
        "Control+End": "Row 50, seat 40",
        "ArrowRight": "Row 50, seat 40",
        "Home": "Row 50, seat 1",
        "ArrowDown": "Row 50, seat 1",
    }.items():
        keys.press(key)
        expect(focus).to_have_attribute("aria-label", re.compile(f"^{place}, "))
    expect(page.page.locator(".ring")).to_be_visible()
    expect(focus).to_be_in_viewport()
    expect(page.page.locator("[role=gridcell][tabindex='0']")).to_have_count(1)

    keys.press("Space")
    expect(focus).to_have_attribute("aria-selected", "true")
    keys.press("ArrowRight")
    keys.press("Enter")
    expect(page.live).to_have_text("2 seats picked, 70.00 EUR.")
    while focus.text_content() != "Hold 2 seats":
        keys.press("Tab")
    keys.press("Enter")
    expect(focus).to_have_text("2 seats held for you")
    expect(page.live).to_have_text("2 seats held for 10 minutes.")
    keys.press("Tab")
    keys.press("Enter")
    expect(focus).to_have_text("Your ticket")
    expect(page.live).to_have_text("Paid. Your ticket is here.")


def test_what_a_screen_reader_finds(open_map: OpenMap, dev: Dev) -> None:
    page = open_map("zora", event_id=dev.event_id).page
    expect(page.get_by_role("grid", name=re.compile("^Seats of Symphony Gala, Great Hall"))).to_be_visible()
    expect(page.get_by_role("row", name="Row 01", exact=True)).to_have_count(1)
    expect(page.get_by_role("gridcell", name="Row 14, seat 12, 95.00 EUR, available", exact=True)).to_have_count(1)
    expect(page.get_by_role("complementary", name="Your seats")).to_be_visible()
    expect(page.get_by_role("list", name="Legend")).to_be_visible()


def test_the_countdown_is_not_chatty(open_map: OpenMap, dev: Dev) -> None:
    page = open_map("chloe")
    page.page.clock.install()
    page.open(stage_of(dev))
    page.hold("Row J, seat 20")
    expect(page.live).to_have_text("1 seat held for 10 minutes.")
    page.page.evaluate("""() => {
        window.said = [];
        const live = document.getElementById("live");
        new MutationObserver(() => live.textContent && said.push(live.textContent)).observe(live, { childList: true });
    }""")
    page.page.clock.fast_forward(60_000)
    expect(page.timer).to_have_text(re.compile(r"^8:\d\d$"))
    assert page.page.evaluate("said") == []
    page.page.clock.fast_forward(250_000)
    expect(page.live).to_have_text(re.compile("^(5 minutes|2[89]. seconds) left to pay.$"))
    page.page.clock.fast_forward(200_000)
    expect(page.timer).to_have_text(re.compile(r"^1:\d\d$"))
    page.until("said.length >= 2")  # it is said a moment after it is shown
    assert len(page.page.evaluate("said")) == 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(open_map: OpenMap, dev: Dev, scheme: str) -> None:
    page = open_map(f"axel-{scheme}", event_id=small_hall(dev), color_scheme=scheme)
    assert violations(page.page) == []
    page.hold(f"Row B, seat {len(scheme)}")
    page.press("Take too long")
    page.expect_heading("The bank is taking its time")
    assert violations(page.page) == []
    page.press("Bank says yes")
    expect(page.page.get_by_role("img", name=re.compile("QR code"))).to_be_visible()
    assert violations(page.page) == []
    page.press("Cancel booking")
    assert violations(page.page) == []
    page.press("Yes, cancel it")
    page.expect_heading("Booking cancelled")
    expect(page.panel).to_contain_text("nothing is paid back")
    assert violations(page.page) == []


def test_axe_finds_nothing_on_a_phone(open_map: OpenMap, dev: Dev) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    page = open_map("pia", event_id=small_hall(dev), **phone)
    page.press("Find seats")
    page.expect_heading("2 seats picked")
    assert violations(page.page) == []
