"""`booking catalog load` and `sync`: events and seats from a file or from the Catalog Service."""

from pathlib import Path
from uuid import UUID

import click

from booking_cli.invocation import CommandFailed, Invocation, example, pass_invocation
from booking_cli.printing import counted, json_option, print_json, print_line, progress
from booking_core.domain.errors import EventNotFound
from booking_service.catalog_file import CatalogFileInvalid, load_event, read_catalog_file
from booking_service.setting_fields import Need, SettingsError
from booking_workers.stop_signals import StopSignals


@click.group(epilog=example("booking catalog load events.json"))
def catalog() -> None:
    """Bring events and seats into the database."""


@catalog.command(epilog=example("booking catalog load events.json"))
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@pass_invocation
def load(invocation: Invocation, file: Path, as_json: bool) -> None:
    """Take events and all their seats from a JSON file, for a service without a Catalog Service.

    \b
    {"events": [{"eventId": UUID, "name": "…", "startsAt": "2030-05-01T19:00:00Z", "currency": "EUR",
                 "seats": [{"seatId": UUID, "row": "A", "number": 1, "price": 75.00}]}]}

    The file is checked as a whole before anything is written. Loading it again changes nothing; seats of an event that
    are not in the file are not sold any more.
    """
    try:
        events = read_catalog_file(file)
    except CatalogFileInvalid as error:
        raise CommandFailed(str(error)) from error
    loaded = seats = 0
    with (
        invocation.composition("catalog load", Need.DATABASE) as composition,
        StopSignals() as signals,
        progress("loading") as shown,
    ):
        for entry in events:
            if not signals.should_continue():
                break
            seats += load_event(entry, store=composition.store)
            loaded += 1
            shown.update(f"{loaded} of {counted(len(events), 'event')}")
    _print(loaded, seats, as_json)
    if loaded < len(events):
        raise CommandFailed("stopped before the end; run it again for the rest")


@catalog.command(epilog=example("booking catalog sync 3f6f3a0e-52c6-4f0e-9a3b-0d3f7f5f8a11"))
@click.argument("event_id", type=click.UUID)
@json_option
@pass_invocation
def sync(invocation: Invocation, event_id: UUID, as_json: bool) -> None:
    """Fetch an event and all its seats from the Catalog Service, to be warm before the sale."""
    with invocation.composition("catalog sync", Need.DATABASE, Need.CATALOG) as composition:
        if composition.catalog is None:
            raise SettingsError(
                "BOOKING_CATALOG_URL is not set, and must be to fetch from it (for example https://catalog.example.com)"
            )
        with progress("fetching"):
            seats = composition.catalog_cache.refresh(event_id)
        if seats == 0 and composition.catalog.event(event_id) is None:
            raise EventNotFound()
    _print(1, seats, as_json)


def _print(events: int, seats: int, as_json: bool) -> None:
    if as_json:
        print_json({"events": events, "seats": seats})
    else:
        print_line(f"{counted(events, 'event')} with {counted(seats, 'seat')}")
