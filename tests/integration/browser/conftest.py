"""The seat map of `booking dev`, opened in a real Chromium."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.integration.browser.seat_map import OpenMap, SeatMap, stage_of
from tests.support.browser import PATIENCE_MS, listen
from tests.support.dev import Dev


@pytest.fixture
def open_map(browser: Browser, dev: Dev) -> Iterator[OpenMap]:
    """Opens the page as a user, each in a browser profile of its own; an error in the page fails the test.

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
