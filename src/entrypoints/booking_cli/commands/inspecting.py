"""`booking find` and `booking show`: bookings by what a caller can name, and one booking with its history."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import click

from booking_cli.booking_objects import Events, booking_object, events_of, seats_of
from booking_cli.invocation import Invocation, example, pass_invocation
from booking_cli.parameters import MOMENT, PLACE, TICKET
from booking_cli.printing import counted, json_option, print_json, print_line, print_table
from booking_core.application import show_booking
from booking_core.domain.booking import Booking
from booking_core.domain.history import HistoryEntry
from booking_core.domain.lifecycle import Status
from booking_core.ports import BookingSelection, Page, Paged, SeatPlace
from booking_service.setting_fields import Need

_MOST: Final = 1000  # bookings on a page


@click.command(
    epilog=example(
        "booking find --user 'auth0|ann'",
        "booking find --seat 529b0e29-0882-5aa8-a8e0-84c5dd045ade/A/7",
        "booking find --event 529b0e29-0882-5aa8-a8e0-84c5dd045ade --status PROCESSING --json",
    )
)
@click.option("--user", metavar="ID", help="Of this user, the `sub` of the token.")
@click.option("--seat", type=PLACE, metavar="EVENT/ROW/NUMBER", help="Which have, or had, this place of the event.")
@click.option("--payment", metavar="ID", help="For which a payment with this id was reported.")
@click.option("--ticket", type=TICKET, metavar="REFERENCE", help="With this ticket reference.")
@click.option("--correlation", metavar="ID", help="Which a request or message with this X-Correlation-Id changed.")
@click.option("--status", type=click.Choice([status.value for status in Status]), help="In this status.")
@click.option("--event", type=click.UUID, metavar="ID", help="Of this event.")
@click.option("--since", type=MOMENT, metavar="TIME", help="Reserved then or later (UTC unless the time has a zone).")
@click.option("--page", type=click.IntRange(1, 10**6), default=1, show_default=True)
@click.option("--limit", type=click.IntRange(1, _MOST), default=20, show_default=True, help="Bookings on a page.")
@json_option
@pass_invocation
def find(
    invocation: Invocation,
    user: str | None,
    seat: SeatPlace | None,
    payment: str | None,
    ticket: str | None,
    correlation: str | None,
    status: str | None,
    event: UUID | None,
    since: datetime | None,
    page: int,
    limit: int,
    as_json: bool,
) -> None:
    """Find bookings by what a caller can name; several options must all match. Newest first, in pages.

    Each look-up is answered by an index. CONFIRMED, CANCELLED or --since alone read every booking.
    """
    selection = BookingSelection(
        user_id=user,
        event_id=event,
        seat=seat,
        payment_id=payment,
        ticket_reference=ticket,
        correlation_id=correlation,
        status=None if status is None else Status(status),
        since=since,
    )
    if selection == BookingSelection():
        raise click.UsageError("name at least one of --user, --seat, --payment, --ticket, --correlation, --event, …")
    wanted = Page(number=page, limit=limit)
    with invocation.composition("find", Need.DATABASE) as composition:
        found = composition.store.operators.find(selection, wanted)
        events = events_of(found.items, composition.store)
    if as_json:
        _print_found_json(found, wanted, events)
    else:
        _print_found(found, wanted, events)


def _print_found_json(found: Paged[Booking], page: Page, events: Events) -> None:
    from booking_api.http.bodies import pagination_json

    bookings = [booking_object(booking, events) for booking in found.items]
    print_json({"bookings": bookings, "pagination": pagination_json(page, found.total)})


def _print_found(found: Paged[Booking], page: Page, events: Events) -> None:
    print_table(
        ["booking", "reserved", "status", "event", "seats", "total", "user"],
        [
            [
                *(booking.booking_id, booking.created_at, _status_of(booking)),
                events[booking.event_id].name if booking.event_id in events else booking.event_id,
                seats_of(booking),
                *(f"{booking.total.written} {booking.total.currency}", booking.user_id),
            ]
            for booking in found.items
        ],
    )
    print_line("")
    pages = -(-found.total // page.limit)
    print_line(counted(found.total, "booking") + (f", page {page.number} of {pages}" if pages > 1 else ""))


def _status_of(booking: Booking) -> str:
    reason = booking.cancellation_reason
    return booking.status.value + (f" ({reason.value})" if reason else "")


@click.command(epilog=example("booking show 0190a5b0-7c3e-7a51-9f00-2b6c1d0e4f11"))
@click.argument("booking_id", type=click.UUID)
@json_option
@pass_invocation
def show(invocation: Invocation, booking_id: UUID, as_json: bool) -> None:
    """Show any booking with its event, seats, payments and history."""
    with invocation.composition("show", Need.DATABASE) as composition:
        booking, history = show_booking(booking_id, store=composition.store)
        events = events_of([booking], composition.store)
    written = booking_object(booking, events)
    if as_json:
        print_json({**written, "history": [_entry_object(entry) for entry in history]})
    else:
        _print_booking(written, history)


def _entry_object(entry: HistoryEntry) -> dict[str, Any]:
    written: dict[str, Any] = {
        "number": entry.number,
        "at": entry.at,
        "trigger": entry.trigger,
        "from": entry.from_status,
        "to": entry.to_status,
        "actor": entry.actor,
        "actorId": entry.actor_id,
        "correlationId": entry.correlation_id,
    }
    if entry.payment_id is not None:
        written["paymentId"] = entry.payment_id
    if entry.note:
        written["note"] = entry.note
    return written


def _print_booking(written: Mapping[str, Any], history: Sequence[HistoryEntry]) -> None:
    fields = dict(written)
    seats, refunds = fields.pop("seats"), fields.pop("refunds", [])
    fields.pop("refund", None)
    print_table(["field", "value"], list(fields.items()))
    print_line("")
    print_table(["seat", "row", "number", "price"], [list(seat.values()) for seat in seats])
    if refunds:
        print_line("")
        print_table(["payment", "refund", "currency", "reason", "status"], [list(each.values()) for each in refunds])
    print_line("")
    print_table(
        ["#", "at", "trigger", "from", "to", "by", "who", "payment", "note", "correlation"],
        [
            [
                *(entry.number, entry.at, entry.trigger, entry.from_status, entry.to_status),
                *(entry.actor, entry.actor_id, entry.payment_id, entry.note, entry.correlation_id),
            ]
            for entry in history
        ],
    )
