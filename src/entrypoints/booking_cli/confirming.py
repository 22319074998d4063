"""Confirmation of commands that cannot be undone: a question on a terminal, `--yes` for scripts."""

import sys
from typing import Final

import click

from booking_cli.invocation import CommandFailed
from booking_cli.printing import shown

yes_option: Final = click.option("--yes", "is_confirmed", is_flag=True, help="Do not ask on a terminal.")


def asks(is_confirmed: bool) -> bool:
    """Whether `confirm` would ask: standard input is a terminal, and `--yes` was not given.

    A script has no terminal and has decided already, so it is not asked.
    """
    return not is_confirmed and sys.stdin is not None and sys.stdin.isatty()


def confirm(*what: str, is_confirmed: bool) -> None:
    """Print what will be done and ask for it, on standard error, where `asks` says so.

    Raises CommandFailed for any answer but yes.
    """
    if asks(is_confirmed):
        for line in what:
            click.echo(shown(line), err=True)
        if not click.confirm("Continue?", err=True):
            raise CommandFailed("not confirmed; nothing was changed")
