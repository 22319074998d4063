"""`booking dev`: the whole service on this machine."""

from contextlib import ExitStack
from pathlib import Path

import click

from booking_cli.invocation import CommandFailed, Invocation, example, pass_invocation
from booking_cli.printing import progress


@click.command(epilog=example("booking dev --port 9000 --data-dir /tmp/booking", "booking dev --kafka localhost:9092"))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option(
    "--data-dir",
    default=".booking",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where everything is kept.",
)
@click.option("--kafka", metavar="HOST:PORT", help="Use this broker, whose topics exist, not the in-process bus.")
@pass_invocation
def dev(invocation: Invocation, host: str, port: int, data_dir: Path, kafka: str | None) -> None:
    """Everything on this machine, with nothing else installed, until ^C or SIGTERM.

    An embedded PostgreSQL, sample events, the API and the workers, and a simulated Payment Service. When it is ready it
    prints lines to paste. What is booked is still there at the next start. Never for production: it gives a token to
    anybody who asks.
    """
    with ExitStack() as until_ready:
        until_ready.enter_context(progress("starting"))
        # Only here, for it is a whole service's worth of imports.
        from booking_service.dev import CannotStart, DevOptions, run_dev

        def announce(text: str) -> None:
            until_ready.close()
            click.echo(text, nl=False)

        try:
            options = DevOptions(host=host, port=port, data_dir=data_dir, kafka=kafka)
            run_dev(options, invocation.environ, announce, invocation.compose)
        except CannotStart as error:
            raise CommandFailed(str(error)) from error
