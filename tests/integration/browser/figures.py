"""How quick the seat map is, while others book: `python -m tests.integration.browser.figures [--others 50]`.

Prints figures and judges nothing. Everything shares this machine: service, browser and the other customers.
"""

import argparse
import random
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median, quantiles
from threading import Event, Thread
from typing import Final

from attrs import define
from playwright.sync_api import Browser, Page

from tests.integration.browser.seat_map import SeatMap
from tests.support.browser import chromium
from tests.support.dev import Dev, starting
from tests.support.directories import open_directory

# Clicks are what the browser itself says of them (Event Timing): from the click to the next frame, in steps of 8 ms.
WATCH: Final = """
    window.clicks = []; window.holds = []; window.drawn = 0;
    const frame = (done) => requestAnimationFrame(() => setTimeout(done));
    const note = (each) => each.name === "click" && clicks.push(each.duration);
    const observer = new PerformanceObserver((list) => list.getEntries().forEach(note));
    observer.observe({ type: "event", durationThreshold: 16, buffered: true });
    (function look() {
        if (document.querySelectorAll(".seats .seat").length < 2000) return requestAnimationFrame(look);
        frame(() => { window.drawn = performance.now(); });
    })();
    addEventListener("click", ({ target }) => {
        if (target.dataset?.key !== "hold") return;
        const began = performance.now();
        (function look() {
            if (!document.querySelector(".digits")) return setTimeout(look, 1);
            frame(() => holds.push(performance.now() - began));
        })();
    }, true);
"""


@define
class Others:
    """Customers who hold two seats, pay, and cancel, one after the other, and think for `pause` seconds in between."""

    dev: Dev
    pause: float
    done: int = 0

    @contextmanager
    def booking(self, many: int) -> Iterator[None]:
        over = Event()
        threads = [Thread(target=self._book, args=(f"other-{number}", over)) for number in range(many)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join(60)

    def _book(self, user: str, over: Event) -> None:
        dev, chance = self.dev, random.Random(user)
        token = dev.token(user)
        seats = dev.free_seats(token, dev.event_id, 2000)
        while not over.wait(self.pause * chance.uniform(0.5, 1.5)):
            order = {"eventId": dev.event_id, "seatIds": chance.sample(seats, 2)}
            held = dev.call("POST", "/api/v1/bookings", order, token)
            self.done += 1
            if held.status == 201:
                over.wait(self.pause)
                dev.pay(held.data["bookingId"])
                over.wait(self.pause)
                dev.call("DELETE", f"/api/v1/bookings/{held.data['bookingId']}", token=token)


def measure(browser: Browser, dev: Dev, rounds: int) -> None:
    paints, draws, clicks, holds = [], [], [], []
    for number in range(rounds):
        # Only what waits here has to get by the page's policy.
        with browser.new_context(viewport={"width": 1280, "height": 800}, bypass_csp=True) as context:
            page = context.new_page()
            page.add_init_script(WATCH)
            opened = SeatMap(page, dev, f"measured-{number}")
            opened.open(dev.event_id)
            page.wait_for_function("drawn > 0")
            paints.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
            draws.append(page.evaluate("drawn"))
            click_seats(page, 8)
            page.press("[data-key=hold]", "Enter")
            page.wait_for_function("holds.length > 0 || document.querySelector('.notice')")
            page.wait_for_timeout(1500)  # the others' seats go meanwhile
            # Quicker ones than 16 ms are not told.
            clicks += [*page.evaluate("clicks"), *[16.0] * 8][:8]
            holds += page.evaluate("holds")
    for name, figures in {"first paint": paints, "2,000 seats drawn": draws, "click": clicks, "hold": holds}.items():
        worst = quantiles(figures, n=20)[-1]
        print(f"{name:20} median {median(figures):6.0f} ms   p95 {worst:6.0f} ms   of {len(figures)}")


def click_seats(page: Page, many: int) -> None:
    for seat in page.locator(".seats .seat.free:nth-child(3n+1)").all()[40 : 40 + many]:
        box = seat.bounding_box()
        if box is not None:
            page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--others", type=int, default=50)
    parser.add_argument("--pause", type=float, default=1.0, help="seconds that the others think between two steps")
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    with ExitStack() as stack:
        directory: Path = open_directory()
        stack.callback(shutil.rmtree, directory)
        dev = stack.enter_context(starting())(directory / "data")
        browser = stack.enter_context(chromium())
        others = Others(dev, options.pause)
        stack.enter_context(others.booking(options.others))
        measure(browser, dev, options.rounds)
        print(f"the {options.others} others asked for {others.done} bookings meanwhile")


if __name__ == "__main__":
    main()
