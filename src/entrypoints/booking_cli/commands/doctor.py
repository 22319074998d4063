"""`booking doctor`: print the findings about settings and components, with advice."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import click

from booking_cli.invocation import Invocation, example, pass_invocation
from booking_cli.printing import json_option, print_json, print_row, shown

if TYPE_CHECKING:
    from booking_core.ports import Finding

_COMPONENTS: Final = ("database", "broker", "jwks", "catalog")
_COLUMNS: Final = ("grade", "check", "found", "advice")
# Mark, its replacement on a terminal without UTF-8, and colour.
_MARKS: Final = {
    "ok": ("✓", "ok", "green"),
    "warning": ("!", "!", "yellow"),
    "trouble": ("✗", "x", "bold red"),
    "skipped": ("–", "-", "dim"),
}
_CHECK_WIDTH: Final = 26  # characters


@click.command(
    epilog=example("booking doctor", "booking doctor --only database --only broker", "booking doctor --json")
)
@click.option(
    "--only", multiple=True, type=click.Choice(_COMPONENTS), help="Check this alone; may be given several times."
)
@json_option
@click.pass_context
@pass_invocation
def doctor(invocation: Invocation, context: click.Context, only: tuple[str, ...], as_json: bool) -> None:
    """Check everything that the service needs, and print a line for each check, with advice on what fails.

    Settings, database (version, rights, connections left, schema), clock, broker and topics, the issuer's keys and the
    Catalog. Changes nothing, takes seconds, and shows no secret. It fails if a check fails; warnings do not count.
    """
    # Imported here, because help and completion do not need it.
    from booking_service.doctor.components import Component
    from booking_service.doctor.examination import ALL, examine, is_healthy
    from booking_telemetry import logs

    # The findings report every problem, so that its log line would only repeat it.
    logs.configure("CRITICAL", "console")
    wanted = [Component(name) for name in only] or ALL
    print_finding = _ignore if as_json else _printer()
    found = []
    for finding in examine(invocation.environ, invocation.compose, only=wanted):
        found.append(finding)
        print_finding(finding)
    healthy = is_healthy(found)
    if as_json:
        print_json({"healthy": healthy, "findings": [_object(finding) for finding in found]})
    if not healthy:
        context.exit(1)


def _object(finding: "Finding") -> dict[str, str]:
    return {
        "check": finding.check,
        "grade": finding.grade.value,
        "found": finding.found,
        "advice": finding.advice,
    }


def _ignore(finding: "Finding") -> None:
    """Print nothing: JSON is printed at the end, as one object."""


def _printer() -> "Callable[[Finding], None]":
    """Make a printer of findings: in colours on a terminal, otherwise as lines with tabs."""
    if sys.stdout.isatty():
        return _terminal_printer()
    print_row(_COLUMNS)
    return lambda finding: print_row([finding.grade.value, finding.check, finding.found, finding.advice])


def _terminal_printer() -> "Callable[[Finding], None]":
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    has_marks = console.encoding.lower().startswith("utf")

    def print_finding(finding: "Finding") -> None:
        mark, plain, style = _MARKS[finding.grade.value]
        line = Table.grid(padding=(0, 1))
        line.add_column(width=2)
        line.add_column(width=_CHECK_WIDTH, overflow="fold")
        line.add_column(overflow="fold")
        line.add_row(Text(mark if has_marks else plain, style), Text(finding.check), Text(shown(finding.found)))
        if finding.advice:
            line.add_row("", "", Text(shown(finding.advice), "yellow" if finding.grade.value == "warning" else "bold"))
        console.print(line)

    return print_finding
