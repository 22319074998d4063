"""How the page is served: every file, nothing else, and with a policy that lets nothing in from elsewhere."""

import re
from importlib.resources import files
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser

from tests.support.dev import Dev

SEAT_MAP = Path(str(files("booking_dev").joinpath("seat_map")))
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


@pytest.mark.parametrize("name", sorted(path.name for path in SEAT_MAP.iterdir()))
def test_every_file_is_served(dev: Dev, name: str) -> None:
    address = "/" if name == "index.html" else f"/dev/seat-map/{name}"
    with urlopen(dev.url + address, timeout=10) as answer:
        body, headers = answer.read(), answer.headers
    assert headers["Content-Type"].split(";")[0] == TYPES[Path(name).suffix]
    assert headers["X-Content-Type-Options"] == "nosniff"
    policy = dict(part.strip().partition(" ")[::2] for part in headers["Content-Security-Policy"].split(";"))
    assert (policy["default-src"], policy["script-src"], policy["style-src"]) == ("'none'", "'self'", "'self'")
    assert (policy["connect-src"], policy["frame-ancestors"]) == ("'self'", "'none'")
    if name != "index.html":
        assert body == (SEAT_MAP / name).read_bytes()


def test_every_module_is_fetched_at_once(dev: Dev) -> None:
    with urlopen(dev.url, timeout=10) as answer:
        html = answer.read().decode()
    named = set(re.findall(r'modulepreload" href="/dev/seat-map/(\S+)"', html))
    assert named == {path.name for path in SEAT_MAP.glob("*.js")}


@pytest.mark.parametrize("name", ["index.html", "nothing.js", "..%2fdev_page.py", "../dev_page.py", ""])
def test_nothing_else_is_served(dev: Dev, name: str) -> None:
    with pytest.raises(HTTPError) as refused:
        urlopen(f"{dev.url}/dev/seat-map/{name}", timeout=10)
    with refused.value as answer:
        assert answer.code == 404


def test_it_comes_from_here_alone_in_small_modules() -> None:
    for path in SEAT_MAP.iterdir():
        text = path.read_text()
        assert set(re.findall(r"https?://[^\s\"')]+", text)) <= {"http://www.w3.org/2000/svg"}
        if path.suffix == ".js":
            assert len(text.splitlines()) < 150, path.name


def test_markup_in_a_text_is_refused(browser: Browser, dev: Dev) -> None:
    with browser.new_page() as page:
        page.goto(dev.url)
        for way in ("body.innerHTML = html", "write(html)", "createElement('script').text = html"):
            refused = f"html => {{ try {{ document.{way} }} catch (error) {{ return error.name }} }}"
            assert page.evaluate(refused, "<img src=x>") == "TypeError", way
