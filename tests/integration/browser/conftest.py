"""The page of `booking dev` in a real Chromium, which Debian's package brings."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.integration.browser.seat_map import SeatMap, stage_of
from tests.integration.dev.conftest import dev
from tests.integration.dev.running import Dev

__all__ = ["dev"]

OpenMap = Callable[..., SeatMap]

PATIENCE_MS = 20_000


@contextmanager
def chromium() -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium: apt-get install chromium")
    expect.set_options(timeout=PATIENCE_MS)
    # Its own sandbox does not work for root, and the page is ours.
    options = ["--no-sandbox", "--disable-gpu"]
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=program, args=options) as started:
        yield started


# Not for longer than a file: while it is there, a loop of asyncio runs in this thread, and others want their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def open_map(browser: Browser, dev: Dev) -> Iterator[OpenMap]:
    """Opens the page as somebody, each in a browser profile of their own; whatever goes wrong in it fails the test.

    At the Garden Stage, unless an event is named.
    """
    wrong: list[str] = []
    with ExitStack() as after:

        def open_one(user: str, *, at: Dev = dev, event_id: str | None = None, **looks: Any) -> SeatMap:
            context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, "locale": "en-GB"} | looks)
            after.callback(context.close)
            context.set_default_timeout(PATIENCE_MS)
            page = context.new_page()
            listen(page, wrong)
            opened = SeatMap(page, at, user)
            opened.open(event_id or stage_of(at))
            return opened

        yield open_one
        assert wrong == []


def listen(page: Page, wrong: list[str]) -> None:
    page.on("pageerror", lambda error: wrong.append(str(error)))
    # That a request was refused is told there as well, and is what several tests are about.
    page.on(
        "console",
        lambda said: (
            wrong.append(said.text)
            if said.type in ("error", "warning") and "Failed to load resource" not in said.text
            else None
        ),
    )
