"""The group of all commands, and the translation of errors into one line and an exit code.

Exit codes: 0 done; 1 failed (a line `error: CODE message` on standard error); 2 wrong usage, which includes settings
that are missing or malformed: the command did nothing.
"""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress

import click

from booking_cli.invocation import CommandFailed, Invocation, example
from booking_cli.lazy_commands import LazyGroup
from booking_cli.printing import print_error
from booking_cli.standard_streams import Output

OK, FAILED, USAGE = 0, 1, 2


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=example("booking migrate && booking serve", "booking expire --json"),
)
@click.version_option(package_name="booking-core", prog_name="booking")
def cli() -> None:
    """Seats that are never sold twice: the booking service and its tools.

    Settings come from the environment (BOOKING_…); a command asks only for those that it uses, and
    `booking doctor` lists everything that is missing.
    """


def run(arguments: Sequence[str], invocation: Invocation) -> int:
    """Run one command and return its exit code. An expected error is one line on standard error."""
    try:
        result = cli.main(list(arguments), prog_name="booking", standalone_mode=False, obj=invocation)
    except click.ClickException as error:
        with suppress(OSError):  # the exit code tells it where standard error cannot be written
            error.show()
        return error.exit_code
    except click.Abort:
        print_error("interrupted")
        return FAILED
    except Exception as error:
        return _report(error, command=next((word for word in arguments if not word.startswith("-")), ""))
    # Outside standalone mode Click returns the code of ctx.exit(), or else the command's return value.
    return result if isinstance(result, int) else OK


def _report(error: Exception, command: str) -> int:
    """Print an expected error and return its exit code; raise any other error again."""
    # Imported here, because help and completion do not need them.
    from booking_core.domain.errors import BookingError
    from booking_service.extras import extra_needed, missing_extra
    from booking_service.setting_fields import SettingsError

    if extra := missing_extra(error):
        print_error(extra_needed(f"booking {command}".rstrip(), extra))
    elif isinstance(error, SettingsError):
        print_error(str(error))
        return USAGE
    elif isinstance(error, BookingError):
        print_error(f"{error.code} {error}")
    elif isinstance(error, CommandFailed | PermissionError):  # the permission may be that of a file or of the store
        print_error(str(error))
    else:
        raise error
    return FAILED


def main() -> None:
    """Run the program with the arguments and the environment of this process.

    Output that cannot be written is a failure, told in one line; a reader that ends early (`| head`) is told nothing.
    """
    output = Output.install()
    try:
        code = run(sys.argv[1:], Invocation(environ=os.environ))
        sys.stdout.flush()
    except (OSError, SystemExit):  # Click exits by itself when a pipe has no reader
        if output.error is None:
            raise
        if not output.reader_has_enough:
            print_error(f"cannot write the output: {output.error.strerror}")
        code = FAILED
    if output.error is not None:
        output.abandon()
    sys.exit(code)
