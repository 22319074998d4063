"""The program `booking`: one group of commands, and the one place where errors become lines and exit codes.

Exit codes: 0 done; 1 failed (a line `error: CODE message` on standard error); 2 called wrongly, which includes settings
that are missing or malformed: nothing was tried.
"""

import os
import sys
from collections.abc import Sequence

import click

from booking_cli import cancel_event, catalog, dev, migrate, replay, serve, show, stats, token, workers
from booking_cli.invocation import CommandFailed, Invocation, example
from booking_cli.printing import print_error
from booking_core.errors import BookingError
from booking_service.settings import SettingsError

OK, FAILED, USAGE = 0, 1, 2
_NO_LIMIT = 10_000


class _Commands(click.Group):
    """Says the whole first sentence of each command, on as many lines as it takes."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, command.get_short_help_str(limit=_NO_LIMIT)) for name, command in sorted(self.commands.items())]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=example("booking migrate && booking serve", "booking expire --json"),
)
@click.version_option(package_name="booking-core", prog_name="booking")
def cli() -> None:
    """Seats that are never sold twice: the booking service and its tools.

    Settings come from the environment (BOOKING_…); a command asks only for those that it uses.
    """


for command in (
    dev.dev,
    serve.serve,
    migrate.migrate,
    *workers.COMMANDS,
    show.show,
    stats.stats,
    replay.replay,
    cancel_event.cancel_event,
    catalog.catalog,
    token.token,
):
    cli.add_command(command)


def run(arguments: Sequence[str], invocation: Invocation) -> int:
    """Run one command; its exit code. Every expected trouble is one line on standard error."""
    try:
        outcome = cli.main(list(arguments), prog_name="booking", standalone_mode=False, obj=invocation)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        print_error("interrupted")
        return FAILED
    except SettingsError as error:
        print_error(str(error))
        return USAGE
    except CommandFailed as error:
        print_error(str(error))
        return FAILED
    except BookingError as error:
        print_error(f"{error.code} {error}")
        return FAILED
    # Without standalone mode click returns the code of ctx.exit(), or else what the command returned.
    return outcome if isinstance(outcome, int) else OK


def main() -> None:
    """The entry point of the distribution."""
    try:
        code = run(sys.argv[1:], Invocation(environ=os.environ))
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has gone (`booking show … | head`): there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = FAILED
    sys.exit(code)
