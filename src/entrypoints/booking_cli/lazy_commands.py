"""Table of the commands, and the group that imports a command when it is first called or completed.

Help and completion need names and summaries only, and importing all commands takes half a second.
"""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final

import click

COMMANDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "cancel": ("cancelling", "Cancel one booking of any customer, also after the start of its event."),
        "cancel-event": (
            "cancelling",
            "Cancel an event: no new bookings, its live ones end, and every payment taken is refunded.",
        ),
        "catalog": ("catalog", "Bring events and seats into the database."),
        "completion": ("completion", "Print a script that has your shell complete `booking` with the Tab key."),
        "consume": ("workers", "Apply the messages of the Payment Service, until SIGTERM."),
        "dead-letters": (
            "dead_letters",
            "List, show, discard and replay the messages that could not be applied.",
        ),
        "dev": ("dev", "Everything on this machine, with nothing else installed, until ^C or SIGTERM."),
        "doctor": (
            "doctor",
            "Check everything that the service needs, and print a line for each check, with advice on what fails.",
        ),
        "expire": ("workers", "End the reservations whose time to pay has run out, and print what was done."),
        "export": ("exporting", "Write bookings as CSV, or as JSON lines, to standard output."),
        "find": ("inspecting", "Find bookings by what a caller can name; several options must all match."),
        "forget": (
            "forgetting",
            "Replace a user's id by a pseudonym in bookings, history, stored events, idempotency keys and stored"
            " responses.",
        ),
        "migrate": ("serving", "Bring the database's schema up to date."),
        "relay": ("workers", "Publish stored events, until SIGTERM."),
        "release": ("cancelling", "End the hold of a PENDING booking, so that its seats can be reserved at once."),
        "replay": ("replay", "Publish events again, or feed dead letters back."),
        "serve": ("serving", "Serve the API until SIGTERM; requests in flight are answered first."),
        "show": ("inspecting", "Show any booking with its event, seats, payments and history."),
        "stats": (
            "statistics",
            "Count bookings by status and all that waits: holds, events to publish, refunds, closures and dead"
            " letters.",
        ),
        "token": ("dev", "Print a token for `booking dev`, signed with its key; it is valid for a day."),
        "worker": (
            "workers",
            "Relay, consumer, expiry, closures, pruning and a watch on refunds in one process, until SIGTERM.",
        ),
    }
)
"""Module in `booking_cli.commands` and first sentence of the help, by the name of the command."""


class LazyGroup(click.Group):
    """Group that lists its commands by stubs with name and summary, and imports the one that it runs or completes."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        for name, (_, summary) in COMMANDS.items():
            self.add_command(click.Command(name, short_help=summary))

    def load(self, name: str) -> click.Command:
        """Import a command. Raises KeyError for an unknown name."""
        module = import_module(f"booking_cli.commands.{COMMANDS[name][0]}")
        command: click.Command = getattr(module, name.replace("-", "_"))
        return command

    def load_all(self) -> Mapping[str, click.Command]:
        """Import all commands, as their documentation needs them."""
        return {name: self.load(name) for name in COMMANDS}

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve the name as Click does, and import the command."""
        name, stub, rest = super().resolve_command(ctx, args)
        return name, self.load(name) if name and stub else None, rest
