"""schemathesis as a program of its own, against a live service: requests made up from the description."""

import json
import os
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from attrs import asdict, frozen

from tests.integration.openapi.scene import Scene

_HOOKS: Final = "tests.integration.openapi.made_up"
_ROOT: Final = Path(__file__).parents[3]
# Not much can be said of these, and some of their answers are long.
_PLAIN: Final = ("healthz", "readyz", "metrics", "openapi", "docs", "docs_asset")
_FEW: Final = 10
# Where values that exist are put, from which list, and how often.
_PLACES: Final = {
    "get_event": ("path.eventId", "events", 0.5),
    "list_seats": ("path.eventId", "events", 0.5),
    "cancel_event": ("path.eventId", "doomed", 0.6),
    "get_booking": ("path.bookingId", "bookings", 0.6),
    "ticket_svg": ("path.bookingId", "bookings", 0.6),
    "ticket_png": ("path.bookingId", "bookings", 0.6),
    "cancel_booking": ("path.bookingId", "cancellable", 0.5),
    "create_booking": ("header.Idempotency-Key", "keys", 0.3),
}


@frozen(kw_only=True)
class Run:
    """As whom, from which seed, and how much: `examples` for each operation, `scenarios` that follow links."""

    url: str
    token: str
    seed: int
    examples: int
    scenarios: int


@frozen
class Wild:
    """A running or finished program. `directory` has all that it needs to be run again by hand."""

    directory: Path
    process: subprocess.Popen[bytes]

    @classmethod
    def start(cls, run: Run, scene: Scene, directory: Path) -> "Wild":
        """It reads the description as the service gives it now, and its settings from a file."""
        directory.mkdir()
        (directory / "openapi.json").write_text(json.dumps(_strict(_description(run.url))))
        (directory / "scene.json").write_text(json.dumps(asdict(scene)))
        (directory / "schemathesis.toml").write_text("\n".join(_settings(run, scene)))
        ours = {"SCHEMATHESIS_HOOKS": _HOOKS, "BOOKING_TEST_DIRECTORY": str(directory), "PYTHONPATH": str(_ROOT)}
        with (directory / "output.txt").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "schemathesis.cli", "--no-color", "run", "openapi.json"],
                cwd=directory,
                env=os.environ | ours | {"COLUMNS": "120"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        return cls(directory, process)

    @property
    def said(self) -> str:
        """What it printed."""
        return (self.directory / "output.txt").read_text()

    @property
    def cases(self) -> int:
        """How many requests it made up."""
        generated: int = json.loads((self.directory / "report.json").read_text())["test_cases"]["generated"]
        return generated

    @property
    def answers(self) -> Counter[str]:
        """How often it met what: `operation status CODE`, the code empty for a success."""
        return Counter(json.loads((self.directory / "answers.json").read_text()))


def _description(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{url}/openapi.json", timeout=20) as answer:
        described: dict[str, Any] = json.load(answer)
    return described


def _strict(node: Any) -> Any:
    """The description without room for fields that it does not name.

    And without the links that lead on from a list: from an empty one they lead nowhere, which the tool calls a fault.
    """
    if isinstance(node, dict):
        node = {key: _strict(value) for key, value in node.items()}
        if isinstance(node.get("properties"), dict) and node.get("type") == "object":
            node.setdefault("additionalProperties", False)
        if isinstance(node.get("links"), dict):
            node["links"] = {name: link for name, link in node["links"].items() if "#/data/0/" not in str(link)}
    return [_strict(each) for each in node] if isinstance(node, list) else node


def _settings(run: Run, scene: Scene) -> Iterator[str]:
    yield f"seed = {run.seed}"
    yield f'base-url = "{run.url}"'
    yield "continue-on-failure = true"
    yield 'warnings.fail-on = ["dictionary_mismatch", "unmatched_filter", "unsupported_regex", "unused_openapi_auth"]'
    yield f'auth.openapi.bearer.bearer = "{run.token}"'
    yield f'generation = {{ max-examples = {run.examples}, database = "none" }}'
    # Values that exist come from the lists below; gathering them from every answer takes a third of the time.
    yield "phases.fuzzing.extra-data-sources.responses = false"
    yield f"phases.stateful = {{ generation.max-examples = {run.scenarios}, max-steps = 10 }}"
    # An IDEMPOTENCY_KEY_REUSED is a well-formed request that comes too late.
    yield 'checks.positive_data_acceptance.expected-statuses = ["2xx", "3xx", "401", "403", "404", "409", "422"]'
    # What is deleted is cancelled, and can still be looked at.
    yield "checks.use_after_free.enabled = false"
    yield 'reports.json.path = "report.json"'
    for name, values in _values(scene).items():
        yield f"dictionaries.{name}.values = {json.dumps(values)}"
    for operation, (parameter, name, probability) in _PLACES.items():
        yield from ("[[operations]]", f'include-operation-id = "{operation}"')
        yield f'parameters."{parameter}" = {{ dictionary = "{name}", probability = {probability} }}'
    yield from ("[[operations]]", f"include-operation-id = {json.dumps(_PLAIN)}", f"generation.max-examples = {_FEW}")
    # DELETE of /bookings/my is that of a booking called "my", which nobody knows: 404.
    yield from ("[[operations]]", 'include-operation-id = "list_bookings"')
    yield "checks = { unsupported_method.enabled = false, allow_header_conformance.enabled = false }"


def _values(scene: Scene) -> dict[str, list[str]]:
    return {
        "events": [scene.event_id, *scene.doomed],
        "doomed": scene.doomed,
        "bookings": [*scene.tickets, *scene.others],
        "cancellable": [*scene.tickets[::5], *scene.others],
        "keys": ["one", "two", "three"],
    }
