"""`booking migrate`: the schema."""

import click

from booking_cli.invocation import CommandFailed, Invocation, example, pass_invocation
from booking_cli.printing import json_option, print_json, print_line
from booking_core.errors import BookingError, ServiceBusy
from booking_core.ports import Store
from booking_service.settings_table import Need


@click.command(epilog=example("BOOKING_DATABASE_URL=postgresql://booking:secret@db/booking booking migrate"))
@json_option
@pass_invocation
def migrate(invocation: Invocation, as_json: bool) -> None:
    """Bring the database's schema up to date. Safe to run again, and twice at once."""
    with invocation.compose(invocation.settings("migrate", Need.DATABASE)) as parts:
        try:
            steps = list(parts.store.migrate())
        except ServiceBusy as error:
            if not _answers(parts.store) and (trouble := parts.store.trouble()):
                raise CommandFailed(trouble) from error
            raise
    if as_json:
        print_json({"applied": steps})
        return
    for step in steps:
        print_line(f"applied {step}")
    if not steps:
        print_line("the schema is up to date")


def _answers(store: Store) -> bool:
    try:
        store.queries.now()
    except BookingError:
        return False
    return True
