"""The generated pages of `docs` are what the code says, and leave nothing out."""

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree

import pytest

from booking_core.domain.lifecycle import TRANSITIONS, Becomes, Status
from tests.support.builders import outcomes_in

DOCS = Path(__file__).parents[2] / "docs"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def generated() -> Iterator[dict[str, str]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS))
        files: dict[str, str] = import_module("generate").pages()
        yield files


def text_of(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def test_every_generated_file_is_up_to_date(generated: dict[str, str]) -> None:
    stale = [name for name, content in generated.items() if text_of(name) != content]

    assert stale == [], "write them anew with:  .venv/bin/python docs/generate.py"


def test_the_picture_of_the_lifecycle_has_every_status_and_every_move() -> None:
    picture = ElementTree.fromstring(text_of("images/lifecycle.svg"))
    texts = [text.text for text in picture.iter(f"{SVG}text")]
    cells = [(trigger.value, cell) for row in TRANSITIONS.values() for trigger, cell in row.items()]
    moves = [trigger for trigger, cell in cells for outcome in outcomes_in(cell) if isinstance(outcome, Becomes)]
    words = [str(text).partition(" [")[0] for text in texts]

    assert sorted(words) == sorted([*moves, *(status.value for status in Status)])
    assert {"TIME [BR-02 is overdue]", "CUSTOMER_CANCELS [BR-04 full refund]"} <= set(texts)


def test_the_index_of_decisions_names_every_one_in_order() -> None:
    decisions = sorted(path.name for path in (DOCS / "adr").glob("[0-9]*.md"))

    assert re.findall(r"^\| \[\d{4}\]\((\S+)\)", text_of("adr/README.md"), re.MULTILINE) == decisions
    assert [int(name[:4]) for name in decisions] == list(range(1, len(decisions) + 1))
