"""`booking serve`: the API."""

import click

from booking_cli.invocation import CommandFailed, Invocation, example, pass_invocation
from booking_service.settings_table import Need


@click.command(epilog=example("booking serve --host 0.0.0.0 --port 8000 --workers 2"))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1, 64), help="Processes.")
@pass_invocation
def serve(invocation: Invocation, host: str, port: int, workers: int) -> None:
    """Serve the API until SIGTERM; requests in flight are answered first.

    BOOKING_DB_CONNECTIONS (12) is shared by all processes together.
    """
    needs = (Need.DATABASE, Need.CATALOG, Need.TOKENS, Need.TERMS, Need.RETENTION, Need.HTTP)
    settings = invocation.settings("serve", *needs)
    # Only here, for it is a server's worth of imports.
    from booking_service import serving

    try:
        serving.serve(settings, serving.Address(host=host, port=port, workers=workers), invocation.compose)
    except serving.CannotServe as error:
        raise CommandFailed(str(error)) from error
