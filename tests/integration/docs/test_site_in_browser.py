"""The built site in a real Chromium, from the disk: it is searched, fits a phone, and asks nobody for anything."""

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.integration.docs.pages import DOCS

PHONE: ViewportSize = {"width": 390, "height": 844}
LOOKED_AT = [
    "index.html",
    "adr/index.html",
    "lifecycle.html",
    "operations/what-to-do-when.html",
    "reference/commands.html",
    "reference/errors.html",
    "reference/http.html",
    "reference/settings.html",
    "tutorial/first-booking.html",
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS))
        built: Path = importlib.import_module("build_site").build(tmp_path_factory.mktemp("site"))
        return built


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Fails whoever fetches anything that is not on the disk, or logs an error."""
    wrong: list[str] = []
    page = browser.new_page(viewport=PHONE, color_scheme="dark")
    page.on("request", lambda asked: None if asked.url.startswith("file:") else wrong.append(asked.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    yield page
    page.close()
    assert wrong == []


def test_the_search_finds_what_is_asked_for(site: Path, page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(f"file://{site}/adr/index.html")
    page.keyboard.press("Control+k")
    page.keyboard.type("dead letters")

    found = page.get_by_role("option").filter(has_text="Running with Kafka").filter(has_text="origin_topic")
    expect(found.first).to_be_visible()
    found.first.click()
    page.wait_for_url("**/kafka.html**")


@pytest.mark.parametrize("name", LOOKED_AT)
def test_a_page_fits_a_phone(site: Path, page: Page, name: str) -> None:
    page.goto(f"file://{site}/{name}")

    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"


def test_the_picture_of_the_lifecycle_is_drawn(site: Path, page: Page) -> None:
    page.goto(f"file://{site}/lifecycle.html")

    assert page.locator("img[src$='lifecycle.svg']").evaluate("image => image.naturalWidth") > 0
