"""The generated pages of `docs` are what the code says, and leave nothing out."""

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree

import click
import pytest

from booking_api.http.errors import STATUS
from booking_api.openapi.document import document
from booking_cli.lazy_commands import LazyGroup
from booking_cli.main import cli
from booking_core.domain.lifecycle import TRANSITIONS, Becomes, Status
from booking_service.settings import SETTINGS
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


def test_every_setting_has_a_row() -> None:
    rows = re.findall(r"^\| `(BOOKING_\w+)` \| (\S+) \|", text_of("reference/settings.md"), re.MULTILINE)

    assert sorted(rows) == sorted((each.name, f"`{each.default}`" if each.default else "–") for each in SETTINGS)


def leaves(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        commands = command.load_all() if isinstance(command, LazyGroup) else command.commands
        for name, each in commands.items():
            yield from leaves(each, f"{path} {name}")
    else:
        yield path, command


def test_every_command_has_a_section_with_every_option() -> None:
    page = text_of("reference/commands.md")
    sections = {part.partition("\n")[0]: part for part in page.split("\n## ")[1:]}
    known = dict(leaves(cli, "booking"))

    assert sections.keys() == known.keys()
    for name, command in known.items():
        options = {option for each in command.params if isinstance(each, click.Option) for option in each.opts}
        assert {option for option in options if f"`{option}" not in sections[name]} == set()


def test_every_route_and_every_code_has_a_row() -> None:
    routes = re.findall(r"^\| `([A-Z]+ /\S*)` \|", text_of("reference/http.md"), re.MULTILINE)
    codes = re.findall(r"^\| `([A-Z_]+)` \| (\d+) \|", text_of("reference/errors.md"), re.MULTILINE)

    assert sorted(routes) == sorted(
        f"{method.upper()} {path}" for path, item in document()["paths"].items() for method in item
    )
    assert dict(codes) == {code: str(status) for code, status in STATUS.items()}


def test_the_picture_of_the_lifecycle_has_every_status_and_every_move() -> None:
    picture = ElementTree.fromstring(text_of("images/lifecycle.svg"))
    texts = [text.text for text in picture.iter(f"{SVG}text")]
    cells = [(trigger.value, cell) for row in TRANSITIONS.values() for trigger, cell in row.items()]
    moves = [trigger for trigger, cell in cells for outcome in outcomes_in(cell) if isinstance(outcome, Becomes)]
    words = [str(text).partition(" [")[0] for text in texts]

    assert sorted(words) == sorted([*moves, *(status.value for status in Status)])
    assert {"TIME [BR-02 is overdue]", "CUSTOMER_CANCELS [BR-04 full refund]"} <= set(texts)


def test_nothing_in_the_picture_is_fetched_from_elsewhere() -> None:
    assert set(re.findall(r"https?://[^\"' )]+", text_of("images/lifecycle.svg"))) == {"http://www.w3.org/2000/svg"}


def test_the_generator_writes_what_is_there(tmp_path: Path) -> None:
    """Run as its page says, over a copy."""
    copy = tmp_path / "docs"
    copy.mkdir()
    for path in DOCS.glob("*.py"):
        (copy / path.name).write_bytes(path.read_bytes())

    subprocess.run([sys.executable, str(copy / "generate.py")], check=True, timeout=60)

    made = {path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.suffix in (".md", ".svg", ".json")}
    assert {name for name in made if (copy / name).read_bytes() != (DOCS / name).read_bytes()} == set()
    assert {"lifecycle.md", "reference/settings.md", "events/README.md"} <= made


def test_the_index_of_decisions_names_every_one_in_order() -> None:
    decisions = sorted(path.name for path in (DOCS / "adr").glob("[0-9]*.md"))

    assert re.findall(r"^\| \[\d{4}\]\((\S+)\)", text_of("adr/README.md"), re.MULTILINE) == decisions
    assert [int(name[:4]) for name in decisions] == list(range(1, len(decisions) + 1))
