"""The site is built as `make docs` does: complete, with no link that leads nowhere, and with nothing from elsewhere."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any
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
def builder() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS))
        yield import_module("build_site")


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


def test_every_page_is_there(builder: ModuleType, site: Path) -> None:
    expected = [Path(name).with_suffix(".html") for name in builder.pages_of(builder.site_map())]
    names = {site / (name.with_name("index.html") if name.stem == "README" else name) for name in expected}

    assert len(names) > 60
    assert sorted(name for name in names if not name.is_file()) == []


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


def test_no_generator_is_published(site: Path) -> None:
    assert list(site.rglob("*.py")) == []


Break = Callable[[dict[str, bytes]], None]


def a_link(files: dict[str, bytes]) -> None:
    files["security.md"] += b"\n[nothing](nothing.md)\n"


def an_anchor(files: dict[str, bytes]) -> None:
    files["security.md"] += b"\n[nothing](kafka.md#nothing)\n"


def a_page_too_few(files: dict[str, bytes]) -> None:
    del files["security.md"]


def a_page_too_many(files: dict[str, bytes]) -> None:
    files["how-to/forgotten.md"] = b"# Forgotten\n"


@pytest.mark.parametrize("break_it", [a_link, an_anchor, a_page_too_few, a_page_too_many])
def test_what_is_broken_fails_the_build(
    builder: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, break_it: Break
) -> None:
    def broken(**options: Any) -> dict[str, bytes]:
        files: dict[str, bytes] = builder_staged(**options)
        break_it(files)
        return files

    builder_staged = builder.staged
    monkeypatch.setattr(builder, "staged", broken)

    with pytest.raises(builder.BuildFailed, match=r"security\.md|forgotten\.md"):
        builder.build(tmp_path)


@pytest.mark.parametrize("target", ["missing.md", "../src/missing.py", "../../outside.md"])
def test_a_link_out_of_the_project_or_to_nothing_is_refused(
    builder: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    sources = import_module("site_sources")
    docs = tmp_path / "project" / "docs"
    docs.mkdir(parents=True)
    (tmp_path / "outside.md").write_text("# Outside\n")
    (docs / "index.md").write_text(f"[it]({target})\n")
    monkeypatch.setattr(sources, "PROJECT", docs.parent)
    monkeypatch.setattr(sources, "DOCS", docs)

    with pytest.raises(sources.BrokenLink, match=target):
        sources.staged()


def test_code_that_is_linked_to_is_shown_and_code_in_pages_is_left_alone(
    builder: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = import_module("site_sources")
    docs, code = tmp_path / "docs", tmp_path / "src" / "thing.py"
    for path in (docs, code.parent):
        path.mkdir()
    code.write_text("answer = 42\n")
    (docs / "index.md").write_text("[`thing`](../src/thing.py#L1), [all](../src)\n\n```md\n[x](nowhere.md)\n```\n")
    monkeypatch.setattr(sources, "PROJECT", tmp_path)
    monkeypatch.setattr(sources, "DOCS", docs)

    files = sources.staged()

    assert files["index.md"].decode() == "[`thing`](source/src/thing.py.md), all\n\n```md\n[x](nowhere.md)\n```\n"
    assert "answer = 42" in files["source/src/thing.py.md"].decode()
