"""What every command receives: the environment, and how to compose the service's components from its settings."""

import getpass
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click
from attrs import field, frozen

if TYPE_CHECKING:
    from booking_service.composition import Composition
    from booking_service.setting_fields import Need
    from booking_service.settings import Settings

# Their only output is the log.
_LONG_RUNNING: Final = frozenset({"serve", "worker", "relay", "consume", "expire --every"})


class CommandFailed(Exception):
    """The command could not do its work. The text is one line for operators; the exit code is 1."""


def _compose(settings: "Settings") -> "Composition":
    # Imported here, because help and completion do not need it.
    from booking_service.composition import Composition

    return Composition(settings)


@frozen(kw_only=True)
class Invocation:
    """One call of the program. Commands read the environment from `environ` only.

    `broker_timeout`: seconds within which a broker must answer a command that goes on without it. A broker that runs
    answers within one second; the client's own timeout is 20 seconds.
    """

    environ: Mapping[str, str] = field(repr=False)
    compose: "Callable[[Settings], Composition]" = _compose
    broker_timeout: float = 2.0

    def settings(self, command: str, *needs: "Need") -> "Settings":
        """Read the settings that `command` needs, and configure the logs by them. Raises SettingsError.

        At a terminal, a command that ends by itself logs warnings and errors only, in console format, because it
        prints its result as well. BOOKING_LOG_LEVEL and BOOKING_LOG_FORMAT override that.
        """
        from booking_service.settings import Settings
        from booking_telemetry import logs

        settings = Settings.from_environ(self.environ, needs=needs, command=command)
        at_terminal = command not in _LONG_RUNNING and sys.stderr.isatty()
        level, form = ("WARNING", "console") if at_terminal else (settings.log_level, settings.log_format)
        if self.environ.get("BOOKING_LOG_LEVEL"):
            level = settings.log_level
        if self.environ.get("BOOKING_LOG_FORMAT"):
            form = settings.log_format
        # A command that ends by itself reports the failure in a line of its own.
        with_clients = command in _LONG_RUNNING or level == "DEBUG"
        logs.configure(level, form, settings.secrets, with_clients=with_clients)
        return settings

    @property
    def names_a_bus(self) -> bool:
        """Whether the environment configures an event bus, for commands that can do without one."""
        return self.environ.get("BOOKING_EVENT_BUS", "") not in ("", "kafka") or bool(
            self.environ.get("BOOKING_KAFKA_BOOTSTRAP_SERVERS")
        )

    @contextmanager
    def composition(self, command: str, *needs: "Need") -> "Iterator[Composition]":
        """Compose the components over a usable store; close them at the end of the block.

        Raises SettingsError, and CommandFailed if the store is not usable.
        """
        with self.compose(self.settings(command, *needs)) as composition:
            health = composition.store.upkeep.health()
            if not health.is_ready:
                raise CommandFailed(str(health))
            yield composition


pass_invocation: Final = click.make_pass_decorator(Invocation)


def example(*lines: str) -> str:
    """Epilog of a command's help: examples of its use."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


def administrator() -> str:
    """Name the operator for histories: the user of this machine."""
    try:
        return f"cli:{getpass.getuser()}"[:255]
    except (KeyError, OSError):
        # A container may run under a user id without a name.
        return "cli"
