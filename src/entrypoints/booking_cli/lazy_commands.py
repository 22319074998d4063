"""Every command by its name, imported when it is first asked for: help and completion want names and summaries only."""

from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from types import MappingProxyType
from typing import Final

import click
from click.shell_completion import CompletionItem

SUMMARIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "cancel-event": "Cancel an event: no new bookings, its live ones end, and every payment taken is asked back.",
        "catalog": "Bring events and seats into the database.",
        "completion": "Print a script that has your shell complete `booking` with the Tab key.",
        "consume": "Apply what the Payment Service says, until SIGTERM.",
        "dev": "Everything on this machine, with nothing else installed, until ^C or SIGTERM.",
        "doctor": "Check everything that the service needs, a line each, and say what to do about each trouble.",
        "expire": "End the reservations whose time to pay has run out, and print what was done.",
        "migrate": "Bring the database's schema up to date.",
        "relay": "Publish stored events, until SIGTERM.",
        "replay": "Publish events again, or feed dead letters back.",
        "serve": "Serve the API until SIGTERM; requests in flight are answered first.",
        "show": "Show any booking with its seats, payments and history.",
        "stats": "Count bookings by status and all that waits: holds, events to publish, refunds, closures and dead"
        " letters.",
        "token": "Print a token for `booking dev`, signed with its key; it is good for a day.",
        "worker": "Relay, consumer, expiry, closures, pruning and a watch on refunds in one process, until SIGTERM.",
    }
)
"""The first sentence of each command's help."""

_ELSEWHERE: Final = {
    "serve": "serving",
    "migrate": "serving",
    "worker": "working",
    "relay": "working",
    "consume": "working",
    "expire": "working",
    "token": "dev",
}


class LazyCommands(MutableMapping[str, click.Command]):
    """The commands by their names. What is not in a module of its own name is named in `_ELSEWHERE`."""

    def __init__(self) -> None:
        self._loaded: dict[str, click.Command] = {}
        self._names = list(SUMMARIES)

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._loaded:
            attribute = name.replace("-", "_")
            module = import_module(f"booking_cli.commands.{_ELSEWHERE.get(name, attribute)}")
            self._loaded[name] = getattr(module, attribute)
        return self._loaded[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._loaded[name] = command
        self._names = [*(each for each in self._names if each != name), name]

    def __delitem__(self, name: str) -> None:
        self._names.remove(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names


class Commands(click.Group):
    """Says the whole first sentence of each command, on as many lines as it takes, and imports none of them for it."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """See click."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, SUMMARIES[name]) for name in self.list_commands(ctx)])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """See click."""
        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [*(CompletionItem(name, help=SUMMARIES[name]) for name in names), *options]
