"""`booking show`: one booking with its history."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import click

from booking_cli.invocation import Invocation, example, pass_invocation
from booking_cli.printing import json_option, print_json, print_line, print_table
from booking_core.application import show_booking
from booking_core.domain.booking import Booking
from booking_core.domain.history import HistoryEntry
from booking_service.setting_fields import Need


@click.command(epilog=example("booking show 0190a5b0-7c3e-7a51-9f00-2b6c1d0e4f11"))
@click.argument("booking_id", type=click.UUID)
@json_option
@pass_invocation
def show(invocation: Invocation, booking_id: UUID, as_json: bool) -> None:
    """Show any booking with its seats, payments and history."""
    with invocation.composition("show", Need.DATABASE) as composition:
        booking, history = show_booking(booking_id, store=composition.store)
    if as_json:
        print_json({**_booking_object(booking), "history": [_entry_object(entry) for entry in history]})
    else:
        _print_booking(booking, history)


def _booking_object(booking: Booking) -> dict[str, Any]:
    """The booking as the API renders it, with its user and correlation id."""
    from booking_api.http.bodies import booking_json

    return {**booking_json(booking), "userId": booking.user_id, "correlationId": booking.correlation_id}


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


def _print_booking(booking: Booking, history: Sequence[HistoryEntry]) -> None:
    fields = _booking_object(booking)
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
