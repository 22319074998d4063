"""The seat map as a customer sees it."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from attrs import frozen
from playwright.sync_api import Locator, Page, expect

from tests.support.dev import Dev

_PATIENCE_SECONDS: Final = 10.0


@frozen
class SeatMap:
    """One tab, in which `user` sits."""

    page: Page
    dev: Dev
    user: str

    def open(self, event_id: str) -> None:
        self.page.goto(f"{self.dev.url}/?as={self.user}&event={event_id}")
        expect(self.seats().first).to_be_visible()

    def seats(self) -> Locator:
        return self.page.get_by_role("gridcell")

    def seat(self, place: str) -> Locator:
        """By what a screen reader says of it first, such as `Row A, seat 12`."""
        return self.page.locator(f'[role=gridcell][aria-label^="{place},"]')

    def expect_seat(self, place: str, state: str) -> None:
        expect(self.page.locator(f'[role=gridcell][aria-label^="{place},"][aria-label$=", {state}"]')).to_have_count(1)

    def click_seat(self, place: str) -> None:
        """As with a mouse, wherever the seat has holes."""
        seat = self.seat(place)
        seat.scroll_into_view_if_needed()
        box = seat.bounding_box()
        assert box is not None
        self.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name).click()

    def until(self, holds: str) -> None:
        """Wait for what no locator can say: asked from here, for the page's policy forbids to evaluate texts in it."""
        give_up_at = time.monotonic() + _PATIENCE_SECONDS
        while not self.page.evaluate(holds):
            assert time.monotonic() < give_up_at, f"waited in vain: {holds}"
            self.page.wait_for_timeout(20)

    def hold(self, *places: str) -> str:
        """Pick and hold these; the booking's id."""
        for place in places:
            self.click_seat(place)
            self.expect_seat(place, "picked by you")
        with self.page.expect_response(lambda answer: answer.request.method == "POST") as held:
            self.press("Hold ")
        expect(self.timer).to_be_visible()
        booking_id: str = held.value.json()["data"]["bookingId"]
        return booking_id

    def cancel_ticket(self, told: str) -> None:
        """Cancel the paid booking that is open, once it was said what is paid back."""
        self.press("Cancel booking")
        expect(self.page.get_by_role("group", name=told)).to_be_visible()
        self.press("Yes, cancel it")

    def booking(self, booking_id: str) -> dict[str, Any]:
        """As the API has it."""
        found: dict[str, Any] = self.dev.call(
            "GET", f"/api/v1/bookings/{booking_id}", token=self.dev.token(self.user)
        ).data
        return found

    def expect_heading(self, text: str) -> None:
        expect(self.page.get_by_role("heading", name=text)).to_be_visible()

    def expect_notice(self, *texts: str) -> None:
        for text in texts:
            expect(self.page.get_by_role("alert")).to_contain_text(text)

    @property
    def timer(self) -> Locator:
        return self.page.get_by_role("timer")

    @property
    def live(self) -> Locator:
        return self.page.locator("#live")

    @property
    def panel(self) -> Locator:
        return self.page.get_by_role("complementary")


def stage_of(dev: Dev) -> str:
    """The event in 40 days: 12 rows of 20 seats, for 48.00, 36.00 and 24.00 EUR, which is soon drawn."""
    [found] = [each for each in dev.events(dev.token("anybody")) if each["name"].endswith("Garden Stage")]
    return str(found["eventId"])


def seat_ids(dev: Dev, token: str, event_id: str, places: Sequence[str]) -> list[str]:
    """What the API calls the seats of these names."""
    seats = dev.call("GET", f"/api/v1/events/{event_id}/seats", token=token).data["seats"]
    ids = {f"Row {seat['row']}, seat {seat['number']}": seat["seatId"] for seat in seats}
    return [ids[place] for place in places]


def hold_elsewhere(dev: Dev, user: str, *places: str) -> str:
    """Somebody without a browser holds these seats of the Garden Stage; the booking's id."""
    token, event_id = dev.token(user), stage_of(dev)
    order = {"eventId": event_id, "seatIds": seat_ids(dev, token, event_id, places)}
    held = dev.call("POST", "/api/v1/bookings", order, token)
    assert held.status == 201, held
    booking_id: str = held.data["bookingId"]
    return booking_id


OpenMap = Callable[..., SeatMap]
