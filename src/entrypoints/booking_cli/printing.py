"""Output: one JSON object for programs, tables for people on a terminal, and plain lines for people's pipes."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final
from uuid import UUID

import click

json_option: Final = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")


def print_json(value: Mapping[str, Any]) -> None:
    """One object on one line: amounts are numbers, times UTC with `Z`."""
    import msgspec

    click.echo(msgspec.json.Encoder(enc_hook=_plain, decimal_format="number").encode(_ready(value)).decode())


def print_line(text: str) -> None:
    """One line on standard output."""
    click.echo(shown(text))


def print_row(cells: Sequence[str]) -> None:
    """One line on standard output, with tabs between the cells."""
    click.echo("\t".join(map(shown, cells)))


def counted(number: int, what: str) -> str:
    """`1 booking`, `2 bookings`, `0 dead letters`: only for words whose plural ends with an s."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def print_error(text: str) -> None:
    """One line on standard error, whatever is in the text."""
    click.echo(f"error: {shown(text)}", err=True)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table on a terminal; elsewhere a line per row, tabs between its cells."""
    cells = [[_cell(value) for value in row] for row in rows]
    if not sys.stdout.isatty():
        for line in ([*columns], *cells):
            click.echo("\t".join(line))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(*columns)
    for line in cells:
        table.add_row(*map(escape, line))
    Console().print(table)


@contextmanager
def progress(what: str) -> Iterator["Progress"]:
    """Shows how far long work is, on a terminal's standard error; elsewhere it is silent."""
    if not sys.stderr.isatty():
        yield Progress()
        return
    from rich.console import Console

    with Console(stderr=True).status(what) as status:
        yield Progress(lambda text: status.update(f"{what} {text}"))


class Progress:
    """Says how far it is."""

    def __init__(self, update: Any = None) -> None:
        self._update = update

    def say(self, text: str) -> None:
        """Replace what was said before."""
        if self._update is not None:
            self._update(text)


def _ready(value: Any) -> Any:
    from booking_core.messages.envelopes import rfc3339

    # msgspec would write a time with its own offset; we promise UTC.
    if isinstance(value, Mapping):
        return {key: _ready(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_ready(inner) for inner in value]
    return rfc3339(value) if isinstance(value, datetime) else value


def _plain(value: object) -> Any:
    if isinstance(value, Enum):
        return value.value
    raise NotImplementedError(f"no JSON for {type(value)}")


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        from booking_core.messages.envelopes import rfc3339

        return rfc3339(value)
    if isinstance(value, Enum):
        return shown(str(value.value))
    if isinstance(value, Decimal | UUID | int):
        return str(value)
    return shown(str(value))


def shown(text: str) -> str:
    """On one line, and without what a terminal would obey."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "surrogatepass").decode("ascii")
        for letter in text
    )
