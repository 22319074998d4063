"""Code that pages of the documentation show from files of ours is what stands in those files.

A page says `<!-- from PATH -->` on the line above a fenced block. The block's lines must stand in that file one after
the other, indented alike; a line `# …` in the block, with empty lines around it or not, stands for what was left out.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parents[2]
_MARKED = re.compile(r"^<!-- from (\S+) -->\n```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LEFT_OUT = re.compile(r"^ *# …\n", re.MULTILINE)


def excerpts() -> Iterator[tuple[str, str, str]]:
    for page in sorted((ROOT / "docs").rglob("*.md")):
        for path, code in _MARKED.findall(page.read_text(encoding="utf-8")):
            yield str(page.relative_to(ROOT)), path, code


def stands_in(piece: str, source: str) -> bool:
    wanted, lines = dedent(piece).strip("\n").splitlines(), source.splitlines()
    windows = (lines[start : start + len(wanted)] for start in range(len(lines)))
    return any(dedent("\n".join(window)).splitlines() == wanted for window in windows)


@pytest.mark.parametrize(
    ("page", "path", "code"), [pytest.param(*each, id=f"{each[0]}-{each[1]}") for each in excerpts()]
)
def test_the_page_shows_what_stands_in_the_file(page: str, path: str, code: str) -> None:
    source = (ROOT / path).read_text(encoding="utf-8")

    changed = [piece for piece in _LEFT_OUT.split(code) if not stands_in(piece, source)]

    assert not changed, f"{page}: this is not what stands in {path}; copy it anew:\n{changed[0]}"


def test_every_mark_is_above_a_block() -> None:
    pages = [page.read_text(encoding="utf-8") for page in (ROOT / "docs").rglob("*.md")]
    marks = sum(page.count("<!-- from ") for page in pages)

    assert marks == len(list(excerpts())) > 0
