"""`/docs` in a real Chromium: it draws the description, in the dark as well, and what it offers to try works."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import listen
from tests.support.dev import Dev

DARK = "rgb(28, 32, 34)"


@pytest.fixture
def page(browser: Browser, dev: Dev) -> Iterator[Page]:
    """Fails whoever asks another server, or logs an error."""
    wrong: list[str] = []
    page = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme="dark")
    page.on("request", lambda asked: None if asked.url.startswith((dev.url, "data:")) else wrong.append(asked.url))
    listen(page, wrong)
    page.goto(f"{dev.url}/docs")
    expect(page.get_by_role("heading", name="Booking", exact=False).first).to_be_visible()
    yield page
    page.close()
    assert wrong == []


def test_it_follows_the_colours_of_the_system(page: Page) -> None:
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == DARK
    expect(page.locator(".swagger-ui").first).to_have_css("background-color", DARK)

    page.emulate_media(color_scheme="light")

    expect(page.locator("html.dark-mode")).to_have_count(0)
    assert page.evaluate("getComputedStyle(document.querySelector('.swagger-ui')).backgroundColor") != DARK


def test_it_fits_a_phone(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_what_it_offers_to_try_works(page: Page, dev: Dev) -> None:
    page.get_by_role("button", name="Authorize").first.click()
    page.locator(".auth-container input").fill(dev.token("somebody who reads"))
    page.locator(".auth-btn-wrapper .authorize").click()
    page.locator(".btn-done").click()

    seats = page.locator("[id$='-list_seats']")
    seats.locator(".opblock-summary-control").click()
    seats.get_by_role("button", name="Execute").click()

    answer = seats.locator(".live-responses-table tbody .response-col_status").first
    expect(answer).to_have_text("200")
