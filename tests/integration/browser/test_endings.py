"""How bookings end by themselves: the time is over, the event is called off."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.integration.browser.seat_map import OpenMap, hold_elsewhere, stage_of
from tests.support.dev import Dev, starting
from tests.support.directories import open_directory


@pytest.fixture(scope="module")
def hasty() -> Iterator[Dev]:
    """Where customers have five seconds to pay."""
    made = open_directory()
    with starting() as start:
        yield start(made / "data", BOOKING_PAYMENT_WINDOW_SECONDS="5")
    shutil.rmtree(made)


def test_the_time_to_pay_ends(open_map: OpenMap, hasty: Dev) -> None:
    page = open_map("tara", at=hasty)
    booking_id = page.hold("Row E, seat 1")
    page.expect_heading("Too late")
    assert page.booking(booking_id)["cancellationReason"] == "EXPIRED"
    expect(page.live).to_have_text("The time to pay is over, and the seats are back on sale.")
    page.expect_seat("Row E, seat 1", "available")
    page.press("Pay all the same")
    expect(page.panel).to_contain_text("36.00 EUR: paid back (the payment came too late)")


def test_an_event_is_called_off(open_map: OpenMap, hasty: Dev) -> None:
    token, event_id = hasty.token("olga"), stage_of(hasty)
    booking_id = hold_elsewhere(hasty, "olga", "Row F, seat 1")
    hasty.pay(booking_id)
    hasty.booking_when(token, booking_id, lambda booking: booking["status"] == "CONFIRMED")
    page = open_map("olga", at=hasty)
    page.click_seat("Row F, seat 1")
    page.expect_heading("Your ticket")
    admin = hasty.token("boss", admin=True)
    assert hasty.call("POST", f"/api/v1/events/{event_id}/cancel", {"reason": "rain"}, admin).status == 202

    page.expect_heading("Event called off")
    expect(page.panel).to_contain_text("The event was called off.")
    expect(page.panel).to_contain_text("36.00 EUR: paid back (the event was called off)")
    expect(page.page.locator("#facts")).to_contain_text("not on sale")
    page.press("Pick other seats")
    page.click_seat("Row F, seat 2")
    page.press("Hold 1 seat")
    page.expect_notice("This event is not on sale any more.")
