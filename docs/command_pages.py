"""The page of the command line, from Click's own tree."""

import re
from collections.abc import Iterator
from inspect import cleandoc
from typing import Final

import click

from booking_cli.lazy_commands import LazyGroup
from booking_cli.main import cli

_PAGE: Final = """\
<!-- Made by `python docs/generate.py` from the commands; changes belong there. -->

# Commands

The program is `booking`; after `make` it is `.venv/bin/booking`. `booking completion bash` prints a completion script
for your shell.

| exit code | |
|---|---|
| 0 | done |
| 1 | failed: a line `error: …` on standard error has the reason; steps that were printed are done |
| 2 | wrong usage: an option, an argument or a [setting](settings.md) is missing or malformed; nothing was done |

On a terminal lists are tables; in a pipe they are lines with tabs. `--json` prints one object, on standard output
alone. Logs go to standard error. SIGTERM and ^C stop a command cleanly: the unit of work in progress is finished.

A command that ends or repeats other people's business names what it will touch and asks, if standard input is a
terminal and `--yes` is not given. A script, whose standard input is no terminal, is not asked.

| command | |
|---|---|
{summary}
{commands}
"""
_COMMAND: Final = """
## booking {name}

{help}

```text
booking {name} {usage}
```
{options}{example}"""
_AS_WRITTEN: Final = "\b\n"
_OPTIONS: Final = """
| option | |
|---|---|
{rows}
"""


def commands_page() -> str:
    """Every command with its options."""
    found = dict(_leaves("", cli))
    summary = [f"| [`booking {name}`](#{_anchor(name)}) | {_first_sentence(each)} |" for name, each in found.items()]
    return _PAGE.format(
        summary="\n".join(summary), commands="".join(_section(*each) for each in found.items()).rstrip()
    )


def _leaves(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield path, command
        return
    commands = command.load_all() if isinstance(command, LazyGroup) else command.commands
    for name in sorted(commands):
        yield from _leaves(f"{path} {name}".strip(), commands[name])


def _section(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=name, max_content_width=1000)
    options = [record for each in command.params if (record := each.get_help_record(context))]
    rows = [f"| `{_cell(names)}` | {_cell(text)} |" for names, text in options if text]
    return _COMMAND.format(
        name=name,
        help=_paragraphs(command.help or ""),
        usage=" ".join(command.collect_usage_pieces(context)),
        options=_OPTIONS.format(rows="\n".join(rows)) if rows else "",
        example=_example(command.epilog or ""),
    )


def _paragraphs(text: str) -> str:
    """The text as Markdown; a paragraph that Click must not wrap becomes a block of code."""
    return "\n\n".join(
        f"```text\n{each.removeprefix(_AS_WRITTEN)}\n```" if each.startswith(_AS_WRITTEN) else _code(each)
        for each in cleandoc(text).split("\n\n")
    )


def _first_sentence(command: click.Command) -> str:
    first = cleandoc(command.help or "").partition("\n\n")[0].replace("\n", " ")
    return _code(re.split(r"(?<=\.) ", first)[0])


def _code(text: str) -> str:
    """The text with the names of settings as code."""
    return re.sub(r"(?<!`)\b(BOOKING_[A-Z_]+)\b(?!`)", r"`\1`", text)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _example(epilog: str) -> str:
    lines = [line.strip() for line in epilog.replace("\b", "").splitlines()]
    shown = [line for line in lines if line and not line.startswith("Example")]
    return "\nFor example:\n\n```text\n" + "\n".join(shown) + "\n```\n" if shown else ""


def _anchor(name: str) -> str:
    return f"booking-{name.replace(' ', '-')}"
