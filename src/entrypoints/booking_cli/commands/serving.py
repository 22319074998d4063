"""`booking serve` and `booking migrate`: the API and the schema of the database."""

import click

from booking_cli.invocation import CommandFailed, Invocation, example, pass_invocation
from booking_cli.printing import json_option, print_json, print_line
from booking_core.domain.errors import ServiceBusy
from booking_core.ports import HealthKind
from booking_service.extras import require_extra
from booking_service.setting_fields import Need


@click.command(epilog=example("booking serve --host 0.0.0.0 --port 8000 --workers 2"))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address or name to listen on; * for all.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1, 64), help="Processes.")
@pass_invocation
def serve(invocation: Invocation, host: str, port: int, workers: int) -> None:
    """Serve the API until SIGTERM; requests in flight are answered first.

    BOOKING_DB_CONNECTIONS (12) is shared by all processes together.
    """
    needs = (Need.DATABASE, Need.CATALOG, Need.TOKENS, Need.TERMS, Need.RETENTION, Need.HTTP)
    settings = invocation.settings("serve", *needs)
    require_extra("service")  # the API is imported in worker processes
    # Imported here, because it imports the server's libraries.
    from booking_server import serving

    try:
        serving.serve(settings, serving.Address(host=host, port=port, workers=workers), invocation.compose)
    except serving.CannotServe as error:
        raise CommandFailed(str(error)) from error


@click.command(epilog=example("BOOKING_DATABASE_URL=postgresql://booking:secret@db/booking booking migrate"))
@json_option
@pass_invocation
def migrate(invocation: Invocation, as_json: bool) -> None:
    """Bring the database's schema up to date. Safe to run again, and twice at once."""
    with invocation.compose(invocation.settings("migrate", Need.DATABASE)) as composition:
        try:
            steps = list(composition.store.upkeep.migrate())
        except ServiceBusy as error:
            health = composition.store.upkeep.health()
            if health.kind not in (HealthKind.READY, HealthKind.NO_SCHEMA, HealthKind.OLD_SCHEMA):
                raise CommandFailed(str(health)) from error
            raise
    if as_json:
        print_json({"applied": steps})
        return
    for step in steps:
        print_line(f"applied {step}")
    if not steps:
        print_line("the schema is up to date")
