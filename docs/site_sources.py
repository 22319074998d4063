"""The sources of the site: the pages of `docs`, and the files of the project that they link to, as pages too."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from site_map import OUTSIDE

PROJECT: Final = Path(__file__).parents[1]
DOCS: Final = PROJECT / "docs"

_FENCE: Final = re.compile(r"^ *(```|~~~).*?^ *\1 *$", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r"(!?\[(?:[^\[\]]|\[[^\[\]]*\])*\])\(([^()\s]+)\)")
_ELSEWHERE: Final = re.compile("[a-z][a-z0-9+.-]*:|//|#")
_NOT_PUBLISHED: Final = {".py", ".toml"}
_LANGUAGES: Final = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".json": "json", ".toml": "toml", ".lua": "lua"}
# A listing is found from the pages that link to it; in the search it would stand before them.
_LISTING: Final = "---\nsearch:\n  exclude: true\n---\n\n# {name}\n\n`{path}`\n\n````{language}\n{text}\n````\n"


class BrokenLink(Exception):
    """A page links to a file that does not exist."""


def staged(extra: Sequence[str] = ()) -> dict[str, bytes]:
    """Every file of the site's sources by its path there. `extra`: files of the project that are pages anyway.

    A file of `docs` keeps its path. Another file that a page links to is below `source/`: Markdown as it is, all else
    as a listing. A link to a directory leads to its README, or is text where it has none. Raises BrokenLink.
    """
    waiting = [path for path in sorted(DOCS.rglob("*")) if path.is_file() and _is_published(path)]
    waiting += [PROJECT / each for each in extra]
    done: dict[str, bytes] = {}
    while waiting:
        path = waiting.pop()
        place = place_of(path)
        if place in done:
            continue
        if path.suffix == ".md":
            text, found = _with_links_of_the_site(path)
            done[place] = text.encode()
            waiting += found
        elif DOCS in path.parents and _is_published(path):
            done[place] = path.read_bytes()
        else:
            done[place] = _listing(path).encode()
    return done


def place_of(path: Path) -> str:
    """The path of a project's file in the site's sources."""
    if DOCS in path.parents and _is_published(path):
        return path.relative_to(DOCS).as_posix()
    name = f"{OUTSIDE}{path.relative_to(PROJECT).as_posix()}"
    return name if path.suffix == ".md" else f"{name}.md"


def _is_published(path: Path) -> bool:
    return path.suffix not in _NOT_PUBLISHED and "__pycache__" not in path.parts


def _listing(path: Path) -> str:
    name = path.relative_to(PROJECT).as_posix()
    text = path.read_text(encoding="utf-8").rstrip()
    return _LISTING.format(name=path.name, path=name, language=_LANGUAGES.get(path.suffix, "text"), text=text)


def _with_links_of_the_site(page: Path) -> tuple[str, list[Path]]:
    """The page, and the files of the project that it links to."""
    found: list[Path] = []

    def rewritten(match: re.Match[str]) -> str:
        text, target = match.groups()
        if _ELSEWHERE.match(target):
            return match[0]
        name, hash_, fragment = target.partition("#")
        path = Path(os.path.normpath(page.parent / name))
        if path.is_dir() and (path / "README.md").is_file():
            path /= "README.md"
        if not path.exists() or PROJECT not in path.parents:
            raise BrokenLink(f"{page.relative_to(PROJECT)}: {target}")
        if path.is_dir():
            return text.removeprefix("[").removesuffix("]")
        found.append(path)
        place = os.path.relpath(place_of(path), Path(place_of(page)).parent)
        return f"{text}({place}{hash_}{fragment if path.suffix == '.md' else ''})".replace("#)", ")")

    return "".join(
        part if is_code else _LINK.sub(rewritten, part) for is_code, part in _parts(page.read_text(encoding="utf-8"))
    ), found


def _parts(text: str) -> Iterator[tuple[bool, str]]:
    """Prose and blocks of code, in turn."""
    end = 0
    for fence in _FENCE.finditer(text):
        yield False, text[end : fence.start()]
        yield True, fence[0]
        end = fence.end()
    yield False, text[end:]
