"""Takes the pictures of the seat map for the documentation anew: `python -m tests.integration.browser.screenshots`.

It needs Debian's chromium, pngquant and fonts-inter. The same seats are taken each time; each is below 200 kB.
"""

import random
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page, expect

from tests.integration.browser.seat_map import SeatMap
from tests.support.browser import chromium
from tests.support.dev import Dev, starting
from tests.support.directories import open_directory

IMAGES: Final = Path(__file__).parents[3] / "docs" / "images"
DESKTOP: Final = {"viewport": {"width": 1280, "height": 800}, "locale": "en-GB", "reduced_motion": "reduce"}
PHONE: Final = {
    "viewport": {"width": 390, "height": 844},
    "locale": "en-GB",
    "device_scale_factor": 2,
    "has_touch": True,
    "is_mobile": True,
    "reduced_motion": "reduce",
}


def fill(dev: Dev) -> None:
    """Some of the hall is sold and some is held: more in front, and mostly neighbours."""
    chance = random.Random(7)
    token = dev.token("audience-0")
    seats = dev.call("GET", f"/api/v1/events/{dev.event_id}/seats", token=token).data["seats"]
    for number in range(130):
        row, many = min(int(chance.expovariate(1 / 14)), 49), chance.choice([1, 2, 2, 2, 3, 4, 5])
        start = row * 40 + chance.randrange(0, 40 - many)
        user = dev.token(f"audience-{number}")
        order = {"eventId": dev.event_id, "seatIds": [seat["seatId"] for seat in seats[start : start + many]]}
        held = dev.call("POST", "/api/v1/bookings", order, user)
        if held.status == 201 and number % 4:
            booking_id = held.data["bookingId"]
            dev.pay(booking_id)
            dev.booking_when(user, booking_id, lambda booking: booking["status"] == "CONFIRMED")


def picking(opened: SeatMap) -> None:
    opened.page.get_by_label("Seats together").select_option("4")
    opened.page.get_by_label("Price").select_option("95.00 EUR")
    opened.press("Find seats")
    opened.expect_heading("4 seats picked")


def holding(opened: SeatMap) -> None:
    picking(opened)
    opened.press("Hold 4 seats")
    expect(opened.timer).to_be_visible()


def with_ticket(opened: SeatMap) -> None:
    holding(opened)
    opened.press("Pay 380.00 EUR")
    expect(opened.page.get_by_role("img", name="QR code")).to_be_visible()
    opened.press("More seats")
    picking(opened)
    opened.press("Hold 4 seats")
    opened.expect_heading("4 seats held for you")


def nearer(opened: SeatMap) -> None:
    picking(opened)
    opened.press("Larger")
    opened.page.locator(".seats .seat.picked").first.scroll_into_view_if_needed()


def take(page: Page, name: str) -> None:
    page.mouse.move(0, 0)
    path = IMAGES / f"seat-map-{name}.png"
    page.screenshot(path=path)
    subprocess.run(["pngquant", "--force", "--speed", "1", "--strip", "--output", path, "128", path], check=True)
    print(f"{path.name}: {path.stat().st_size // 1024} kB")


def main() -> None:
    pictures: dict[str, tuple[dict[str, Any], Any]] = {
        "light": (DESKTOP, picking),
        "dark": ({**DESKTOP, "color_scheme": "dark"}, with_ticket),
        "phone": (PHONE, nearer),
    }
    IMAGES.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        directory = open_directory()
        stack.callback(shutil.rmtree, directory)
        dev = stack.enter_context(starting())(directory / "data")
        browser = stack.enter_context(chromium())
        fill(dev)
        for name, (looks, act) in pictures.items():
            with browser.new_context(**looks) as context:
                opened = SeatMap(context.new_page(), dev, {"light": "alice", "dark": "bob"}.get(name, "carla"))
                opened.open(dev.event_id)
                act(opened)
                take(opened.page, name)


if __name__ == "__main__":
    main()
