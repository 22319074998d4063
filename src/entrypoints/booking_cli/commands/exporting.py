"""`booking export`: bookings as CSV or JSON lines, read in parts and written as they come."""

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import click

from booking_cli.booking_objects import Events, booking_object, events_of, seats_of
from booking_cli.invocation import CommandFailed, Invocation, example, pass_invocation
from booking_cli.parameters import MOMENT
from booking_cli.printing import counted, print_json, progress
from booking_core.domain.booking import Booking
from booking_core.domain.values import written_in
from booking_core.messages.envelopes import rfc3339
from booking_core.ports import BookingSelection, Store
from booking_service.setting_fields import Need
from booking_workers.stop_signals import StopSignals

PART: Final = 1000  # bookings in memory at once
COLUMNS: Final = (
    *("bookingId", "eventId", "eventName", "userId", "status", "cancellationReason", "seats", "totalAmount"),
    *("currency", "paidAmount", "refundedAmount", "createdAt", "expiresAt", "confirmedAt", "cancelledAt"),
    "ticketReference",
)


@click.command(
    epilog=example(
        "booking export --event 529b0e29-0882-5aa8-a8e0-84c5dd045ade > bookings.csv",
        "booking export --since 2026-03-01T00:00:00Z --json | gzip > bookings.jsonl.gz",
    )
)
@click.option("--event", type=click.UUID, metavar="ID", help="Bookings of this event.")
@click.option("--since", type=MOMENT, metavar="TIME", help="Reserved then or later (UTC unless the time has a zone).")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object a line instead of CSV.")
@pass_invocation
def export(invocation: Invocation, event: UUID | None, since: datetime | None, as_json: bool) -> None:
    """Write bookings as CSV, or as JSON lines, to standard output.

    Without an option it writes all bookings. Any number of them is written with the memory of a thousand. Each booking
    is as it is when its part is read, and comes once. Those of one event are in the order of reserving.
    """
    selection = BookingSelection(event_id=event, since=since)
    with invocation.composition("export", Need.DATABASE) as composition, StopSignals() as signals:
        if not as_json:
            click.echo(_csv_line(COLUMNS), nl=False)
        written = 0
        with progress("exporting") as shown:
            for part, events in _parts(selection, composition.store):
                _write(part, events, as_json)
                written += len(part)
                shown.update(counted(written, "booking"))
                if signals.requested:
                    raise CommandFailed(f"stopped after {counted(written, 'booking')}; run it again for all of them")


def _parts(selection: BookingSelection, store: Store) -> Iterator[tuple[Sequence[Booking], Events]]:
    last: Booking | None = None
    events: Events = {}
    while part := store.operators.following(selection, last, PART):
        last = part[-1]
        # Few events are in a part, and the next part has mostly the same.
        wanted = {booking.event_id for booking in part}
        unknown = [booking for booking in part if booking.event_id not in events]
        events = {each: events[each] for each in wanted & events.keys()} | dict(events_of(unknown, store))
        yield part, events


def _write(part: Sequence[Booking], events: Events, as_json: bool) -> None:
    if as_json:
        for booking in part:
            print_json(booking_object(booking, events))
        return
    click.echo("".join(_csv_line(_cells(booking, events)) for booking in part), nl=False)


def _csv_line(cells: Sequence[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()


def _cells(booking: Booking, events: Events) -> list[Any]:
    event, currency, payments = events.get(booking.event_id), booking.total.currency, booking.payments.values()
    # Money of another currency is refunded as a mismatch, and never kept.
    nothing = Decimal(0)
    taken = [each for each in payments if each.is_taken and each.currency == currency]
    paid = sum((each.amount or nothing for each in taken), start=nothing)
    refunded = sum((each.amount or nothing for each in taken if each.refund_reason), start=nothing)
    reason, times = booking.cancellation_reason, (booking.created_at, booking.expires_at)
    return [
        *(booking.booking_id, booking.event_id, event.name if event else "", booking.user_id),
        *(booking.status.value, reason.value if reason else "", seats_of(booking)),
        *(booking.total.written, currency, written_in(paid, currency), written_in(refunded, currency)),
        *(rfc3339(each) for each in times),
        *("" if each is None else rfc3339(each) for each in (booking.confirmed_at, booking.cancelled_at)),
        booking.ticket_reference or "",
    ]
