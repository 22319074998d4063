"""The site is built as `make docs` does: complete, with no link that leads nowhere, and with nothing from elsewhere."""

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

DOCS = Path(__file__).parents[3] / "docs"
# What a browser fetches by itself; where a link leads is the reader's business.
FETCHED = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"), ("source", "srcset")}


class Page(HTMLParser):
    """The links, what is loaded, and the places that can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value is None:
                continue
            if (tag, name) in FETCHED and (tag, dict(attrs).get("rel")) not in {("link", "canonical")}:
                self.fetched.append(value)
            elif tag == "a" and name == "href":
                self.links.append(value)
            if name == "id":
                self.places.add(value)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by the program."""
    directory = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, str(DOCS / "build_site.py"), str(directory)], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{directory}/html/index.html\n"
    return directory / "html"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}


def test_every_link_leads_somewhere(site: Path, pages: dict[Path, Page]) -> None:
    broken = [
        f"{path.relative_to(site)}: {link}"
        for path, page in pages.items()
        if path.name != "404.html"
        for link in (*page.links, *page.fetched)
        if not leads_somewhere(link, path, pages)
    ]

    assert broken == []


def leads_somewhere(link: str, path: Path, pages: dict[Path, Page]) -> bool:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return parts.scheme in ("http", "https", "mailto")
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    # A directory is nowhere: opened from a disk, it is a list of its files.
    if target in pages and parts.fragment:
        return unquote(parts.fragment) in pages[target].places or parts.fragment.startswith("__")
    return target.is_file()


def test_nothing_is_fetched_from_elsewhere(site: Path, pages: dict[Path, Page]) -> None:
    fetched = {link for page in pages.values() for link in page.fetched}

    assert {link for link in fetched if urlsplit(link).scheme or link.startswith("//")} == set()
    assert [path for path in site.rglob("*.css") if "url(http" in path.read_text(encoding="utf-8")] == []
    # The theme would fetch Mermaid from elsewhere for blocks that ask for it: there is none.
    assert [path for path in pages if 'class="mermaid"' in path.read_text(encoding="utf-8")] == []
