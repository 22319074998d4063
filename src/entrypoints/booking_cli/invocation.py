"""What every command is given: the environment, and how to put the parts together."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click
from attrs import field, frozen

if TYPE_CHECKING:
    from booking_service.composition import Composition
    from booking_service.settings import Need, Settings

# The commands that stay: their log is all that they say.
_TELL_BY_LOG: Final = frozenset({"serve", "worker", "relay", "consume", "expire --every"})


class CommandFailed(Exception):
    """The command could not do what it was asked. The text is one line for people; the exit code is 1."""


def _compose(settings: "Settings") -> "Composition":
    # Only here, like all that takes long to import: help and completion need none of it.
    from booking_service.composition import Composition

    return Composition(settings)


@frozen(kw_only=True)
class Invocation:
    """One call of the program. Nothing is read from anywhere but `environ`."""

    environ: Mapping[str, str] = field(repr=False)
    compose: "Callable[[Settings], Composition]" = _compose

    def settings(self, command: str, *needs: "Need") -> "Settings":
        """The settings that `command` needs; logs follow them from now on. Raises SettingsError.

        Beside what a command prints for somebody at a terminal, the log only says what is wrong, in the form for
        people, unless it was asked to say more, or to say it as JSON.
        """
        from booking_service.settings import Settings
        from booking_telemetry import logs

        settings = Settings.from_environ(self.environ, needs=needs, command=command)
        for_people = command not in _TELL_BY_LOG and sys.stderr.isatty()
        level, form = ("WARNING", "console") if for_people else (settings.log_level, settings.log_format)
        if self.environ.get("BOOKING_LOG_LEVEL"):
            level = settings.log_level
        if self.environ.get("BOOKING_LOG_FORMAT"):
            form = settings.log_format
        logs.configure(level, form, settings.secrets)
        return settings

    @property
    def names_a_bus(self) -> bool:
        """Whether the environment says where messages go: a command may use a bus that it does not demand."""
        return self.environ.get("BOOKING_EVENT_BUS", "") not in ("", "kafka") or bool(
            self.environ.get("BOOKING_KAFKA_BOOTSTRAP_SERVERS")
        )

    @contextmanager
    def parts(self, command: str, *needs: "Need") -> "Iterator[Composition]":
        """The parts over a store that can be used, closed at the end. Raises SettingsError and CommandFailed."""
        with self.compose(self.settings(command, *needs)) as parts:
            health = parts.store.upkeep.health()
            if not health.is_ready:
                raise CommandFailed(str(health))
            yield parts


pass_invocation: Final = click.make_pass_decorator(Invocation)


def example(*lines: str) -> str:
    """The end of a command's help: how it is called."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)
