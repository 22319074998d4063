"""The public API does not change by accident, and does not mention what is not public (docs/versioning.md)."""

import difflib
import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from tests.unit.booking_core.public_api import ADAPTERS, MODULES, SNAPSHOT, snapshot

PUBLIC = {name: getattr(import_module(module), name) for module in MODULES for name in import_module(module).__all__}


def test_it_is_as_it_was_written_down() -> None:
    before, now = SNAPSHOT.read_text(encoding="utf-8"), snapshot()
    if before != now:
        changes = difflib.unified_diff(before.splitlines(), now.splitlines(), "before", "now", lineterm="", n=1)
        pytest.fail(
            "The public API has changed:\n\n" + "\n".join(changes) + "\n\n"
            "If that is meant: see docs/versioning.md for what a release may change, say it in CHANGELOG.md, and run\n"
            "    python -m tests.unit.booking_core.public_api",
            pytrace=False,
        )


def test_the_policy_names_what_is_written_down() -> None:
    policy = (Path(__file__).parents[3] / "docs/versioning.md").read_text(encoding="utf-8")
    names = [*MODULES, *ADAPTERS, *(name for names in ADAPTERS.values() for name in names)]
    unsaid = [name for name in names if f"`{name}`" not in policy]

    assert unsaid == []


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_what_it_mentions_is_public_too(name: str) -> None:
    """Whoever is given a value, or has to make one, can name its type."""
    hidden = {kind.__name__ for kind in mentioned_by(PUBLIC[name]) if kind.__name__ not in PUBLIC}

    assert hidden == set()


def mentioned_by(thing: Any) -> Iterator[type]:
    """The classes of ours in the annotations of a function, or of a class's fields and public methods."""
    if not isinstance(thing, type):
        yield from _ours(get_type_hints(thing) if inspect.isfunction(thing) else thing)
        return
    yield from _ours({name: hint for name, hint in get_type_hints(thing).items() if not name.startswith("_")})
    for name, member in inspect.getmembers(thing):
        function = member.fget if isinstance(member, property) else member
        if not name.startswith("_") and (inspect.isfunction(function) or inspect.ismethod(function)):
            yield from _ours(get_type_hints(function))


def _ours(hint: Any) -> Iterator[type]:
    if isinstance(hint, dict):
        for each in hint.values():
            yield from _ours(each)
    elif isinstance(hint, list):  # of a Callable's arguments
        for each in hint:
            yield from _ours(each)
    elif isinstance(hint, type) and hint.__module__.startswith("booking_"):
        yield hint
    for each in get_args(hint):
        yield from _ours(each)
