"""Output of commands: a JSON object for programs, tables on a terminal, and lines with tabs in a pipe."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final
from uuid import UUID

import click

_ID_WIDTH: Final = 36  # characters of a UUID

json_option: Final = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object on one line: amounts are numbers, times UTC with `Z`."""
    import msgspec

    click.echo(msgspec.json.Encoder(enc_hook=_plain, decimal_format="number").encode(_ready(value)).decode())


def print_line(text: str) -> None:
    """Print one line on standard output."""
    click.echo(shown(text))


def print_row(cells: Sequence[str]) -> None:
    """Print one line on standard output, with tabs between the cells."""
    click.echo("\t".join(map(shown, cells)))


def counted(number: int, what: str) -> str:
    """Format a number with its noun, like `1 booking` or `2 bookings`; the plural must be regular."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def print_error(text: str) -> None:
    """Print one line on standard error, if it can be written; line breaks in the text are escaped."""
    with suppress(OSError):
        click.echo(f"error: {shown(text)}", err=True)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table on a terminal; elsewhere one line per row with tabs between the cells.

    A cell that is too long for the terminal continues on the next line; an id stays whole, so that it can be copied.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    if not sys.stdout.isatty():
        for line in ([*columns], *cells):
            click.echo("\t".join(line))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table()
    for place, column in enumerate(columns):
        has_ids = any(isinstance(row[place], UUID) for row in rows)
        table.add_column(column, overflow="fold", min_width=_ID_WIDTH if has_ids else None)
    for line in cells:
        table.add_row(*map(escape, line))
    Console().print(table)


@contextmanager
def progress(what: str) -> Iterator["Progress"]:
    """Show the progress of long work on a terminal's standard error; elsewhere print nothing."""
    if not sys.stderr.isatty():
        yield Progress()
        return
    from rich.console import Console

    with Console(stderr=True).status(what) as status:
        yield Progress(lambda text: status.update(f"{what} {text}"))


class Progress:
    """Progress of long work, shown as a text."""

    def __init__(self, update: Callable[[str], None] | None = None) -> None:
        self._update = update

    def update(self, text: str) -> None:
        """Replace the text that is shown."""
        if self._update is not None:
            self._update(text)


def _ready(value: Any) -> Any:
    from booking_core.messages.envelopes import rfc3339

    # msgspec would keep the offset of a time, and the output promises UTC.
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
    """Escape line breaks and control sequences, so that the text is one line and cannot control the terminal."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "surrogatepass").decode("ascii")
        for letter in text
    )
