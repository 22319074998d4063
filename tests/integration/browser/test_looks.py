"""The page on a phone, in the dark, and for those who want no motion."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.integration.browser.seat_map import OpenMap
from tests.support.dev import Dev

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
COLOUR = "element => getComputedStyle(element).backgroundColor.match(/\\d+/g).map(Number)"


def test_nothing_is_wider_than_the_window(open_map: OpenMap) -> None:
    page = open_map("wilma").page
    for width in (320, 390, 768, 1024, 1600):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") == width
        for name in ("Smaller", "Larger", "Find seats"):
            expect(page.get_by_role("button", name=name)).to_be_in_viewport()


def test_a_touch_comes_nearer_before_it_picks(open_map: OpenMap, dev: Dev) -> None:
    page = open_map("mona", event_id=dev.event_id, **PHONE)
    seat = page.seat("Row 16, seat 20")
    small = seat.bounding_box()
    assert small is not None
    assert small["width"] < 12
    page.page.touchscreen.tap(small["x"] + small["width"] / 2, small["y"] + small["height"] / 2)
    large = seat.bounding_box()
    assert large is not None
    assert large["width"] > 18
    page.expect_seat("Row 16, seat 20", "available")
    expect(seat).to_be_in_viewport()
    page.page.touchscreen.tap(large["x"] + large["width"] / 2, large["y"] + large["height"] / 2)
    page.expect_seat("Row 16, seat 20", "picked by you")
    expect(page.page.get_by_role("button", name="Hold 1 seat")).to_be_in_viewport()
    page.page.get_by_role("button", name="Hold 1 seat").tap()
    expect(page.timer).to_be_in_viewport()


def test_the_legend_on_a_phone_is_whole_and_the_hall_keeps_its_height(open_map: OpenMap) -> None:
    page = open_map("nils", **PHONE)
    for entry in page.page.get_by_role("list", name="Legend").get_by_role("listitem").all():
        expect(entry).to_be_in_viewport(ratio=1)
    hall = page.page.locator("#scroll")
    before = hall.bounding_box()
    page.hold("Row A, seat 1", "Row A, seat 2")
    assert hall.bounding_box() == before


def test_the_hall_is_made_larger_and_smaller(open_map: OpenMap, dev: Dev) -> None:
    page = open_map("zoe", event_id=dev.event_id)
    grid = page.page.get_by_role("grid")

    def height() -> float:
        box = grid.bounding_box()
        assert box is not None
        return box["height"]

    fitted = height()
    assert fitted <= 800
    expect(page.seats().first).to_be_in_viewport()
    expect(page.seat("Row 50, seat 40")).to_be_in_viewport()
    page.press("Larger")
    page.press("Larger")
    assert height() > 1.3 * fitted
    page.press("Whole hall")
    assert height() <= 800
    expect(page.seat("Row 50, seat 40")).to_be_in_viewport()
    page.press("Smaller")
    assert height() <= 800


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_light_and_dark(open_map: OpenMap, scheme: str, dark: bool) -> None:
    page = open_map("luna", color_scheme=scheme).page
    for part in ("body", ".house", ".panel section"):
        brightness = sum(page.locator(part).first.evaluate(COLOUR)) / 3
        assert (brightness < 64) is dark


def test_no_motion_for_those_who_want_none(open_map: OpenMap) -> None:
    page = open_map("rosa", reduced_motion="reduce").page
    assert page.locator("button").first.evaluate("button => getComputedStyle(button).transitionDuration") == "0s"
