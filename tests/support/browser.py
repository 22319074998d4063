"""Chromium, which Debian's package brings, driven by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:  # a run without these tests does without Playwright
    from playwright.sync_api import Browser, Page

PATIENCE_MS: Final = 20_000


@contextmanager
def chromium() -> "Iterator[Browser]":
    """A browser until the block ends. Skips the test where there is none."""
    from playwright.sync_api import expect, sync_playwright

    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium: apt-get install chromium")
    expect.set_options(timeout=PATIENCE_MS)
    # Its own sandbox does not work for root, and the page is ours.
    options = ["--no-sandbox", "--disable-gpu"]
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=program, args=options) as started:
        yield started


# At most for one file: while it is open, an asyncio loop runs in this thread, and other tests start their own.
@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """A browser that the tests of a file share."""
    with chromium() as started:
        yield started


def listen(page: "Page", wrong: list[str]) -> None:
    """Append to `wrong` each error and warning of the page."""
    page.on("pageerror", lambda error: wrong.append(str(error)))
    # The console reports a rejected request as well; several tests provoke one.
    page.on(
        "console",
        lambda said: (
            wrong.append(said.text)
            if said.type in ("error", "warning") and "Failed to load resource" not in said.text
            else None
        ),
    )
