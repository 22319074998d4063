"""`booking dev` and `booking token`: the service on one machine, and tokens that only it accepts."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import click

from booking_cli.invocation import CommandFailed, Invocation, example, pass_invocation
from booking_cli.printing import json_option, print_json, print_line, progress

F = TypeVar("F", bound=Callable[..., Any])


def _data_dir(help_text: str) -> Callable[[F], F]:
    return click.option(
        "--data-dir",
        default=".booking",
        show_default=True,
        type=click.Path(file_okay=False, path_type=Path),
        help=help_text,
    )


@click.command(epilog=example("booking dev --port 9000 --data-dir /tmp/booking", "booking dev --kafka localhost:9092"))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@_data_dir("Where everything is kept.")
@click.option("--kafka", metavar="HOST:PORT", help="Use this broker, whose topics exist, not the in-process bus.")
@click.option(
    "--payment-window",
    metavar="SECONDS",
    type=click.IntRange(1, 30 * 86_400),
    help="How long a hold lasts: 30 lets you watch one expire. Default: BOOKING_PAYMENT_WINDOW_SECONDS, or 600.",
)
@pass_invocation
def dev(
    invocation: Invocation, host: str, port: int, data_dir: Path, kafka: str | None, payment_window: int | None
) -> None:
    """Everything on this machine, with nothing else installed, until ^C or SIGTERM.

    An embedded PostgreSQL, sample events, the API and the workers, and a simulated Payment Service. When it is ready it
    prints lines to paste. What is booked is still there at the next start. Never for production: every
    caller gets a token.
    """
    with ExitStack() as until_ready:
        until_ready.enter_context(progress("starting"))
        # Imported here, because it imports the libraries of the whole service.
        from booking_dev.supervisor import CannotStart, DevOptions, run_dev

        def announce(text: str) -> None:
            until_ready.close()
            click.echo(text, nl=False)

        try:
            options = DevOptions(
                host=host, port=port, data_dir=data_dir, kafka=kafka, payment_window_seconds=payment_window
            )
            run_dev(options, invocation.environ, announce, invocation.compose)
        except CannotStart as error:
            raise CommandFailed(str(error)) from error


@click.command(
    epilog=example('curl -H "Authorization: Bearer $(booking token --user alice)" localhost:8000/api/v1/events')
)
@click.option("--user", required=True, help="The user's id, the token's `sub`.")
@click.option("--admin", is_flag=True, help="May cancel events and verify tickets.")
@_data_dir("Where `booking dev` keeps its data.")
@json_option
def token(user: str, admin: bool, data_dir: Path, as_json: bool) -> None:
    """Print a token for `booking dev`, signed with its key; it is valid for a day."""
    from booking_dev.tokens import ADMIN_PERMISSIONS, AUDIENCE, ISSUER, KEY_FILE, DevKeyUnusable, DevTokens

    if not (data_dir / KEY_FILE).is_file():
        raise CommandFailed(f"there is no key in {data_dir}: `booking dev` makes it at its first start")
    try:
        signed = DevTokens(data_dir, ISSUER, AUDIENCE).sign(user, ADMIN_PERMISSIONS if admin else ())
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--user") from error
    except (DevKeyUnusable, OSError) as error:
        raise CommandFailed(str(error)) from error
    if as_json:
        print_json({"token": signed})
    else:
        print_line(signed)
