"""`booking cancel-event`: an administrator cancels an event (spec 6.4)."""

import getpass
from collections.abc import Mapping, Sequence
from decimal import Decimal
from uuid import UUID, uuid4

import click

from booking_cli.confirming import asks, confirm, yes_option
from booking_cli.invocation import CommandFailed, Invocation, example, pass_invocation
from booking_cli.printing import counted, json_option, print_json, print_line, progress
from booking_core.application import CancelledEvent, get_event
from booking_core.application import cancel_event as cancel
from booking_core.domain.commands import CancelEvent
from booking_core.domain.errors import InvalidValue
from booking_core.domain.values import TicketedEvent, written_in
from booking_core.messages.envelopes import rfc3339
from booking_service.composition import Composition
from booking_service.setting_fields import Need
from booking_workers.stop_signals import StopSignals

Refunds = Mapping[str, tuple[Decimal, int]]


@click.command(
    "cancel-event",
    epilog=example(
        'booking cancel-event 3f6f3a0e-52c6-4f0e-9a3b-0d3f7f5f8a11 --reason "the hall is flooded" --dry-run'
    ),
)
@click.argument("event_id", type=click.UUID)
@click.option("--reason", required=True, help="The reason in event.cancelled; 1 to 255 characters.")
@click.option("--dry-run", is_flag=True, help="Only print what would happen.")
@yes_option
@json_option
@pass_invocation
def cancel_event(
    invocation: Invocation, event_id: UUID, reason: str, dry_run: bool, is_confirmed: bool, as_json: bool
) -> None:
    """Cancel an event: no new bookings, its live ones end, and every payment taken is refunded.

    It can't be undone: on a terminal it names the event and what ends, and asks. Run again after an interruption, it
    finishes what is left and counts that.
    """
    command = _command(event_id, reason)
    with invocation.composition("cancel-event", Need.DATABASE, Need.CATALOG) as composition:
        event = _event(event_id, composition)
        if dry_run or asks(is_confirmed):
            preview = composition.store.reads.cancellation_preview(event_id)
            would = _lines(event, preview.bookings, preview.seats, preview.refunds, "would be cancelled")
            if dry_run:
                _print(event_id, preview.bookings, preview.seats, preview.refunds, as_json, would)
                return
            confirm(*would, is_confirmed=is_confirmed)
        with StopSignals() as signals:
            done = _cancel(command, composition, signals)
    lines = _lines(event, done.bookings, done.seats, done.refunds, "cancelled")
    _print(event_id, done.bookings, done.seats, done.refunds, as_json, lines)
    if signals.requested:
        raise CommandFailed("stopped before the end; the event is closed, run it again (or `worker`) for the rest")


def _command(event_id: UUID, reason: str) -> CancelEvent:
    try:
        return CancelEvent(
            event_id=event_id, reason=reason, administrator=_administrator(), correlation_id=str(uuid4())
        )
    except InvalidValue as error:
        raise click.BadParameter(str(error), param_hint="--reason") from error


def _cancel(command: CancelEvent, composition: Composition, signals: StopSignals) -> CancelledEvent:
    with progress("cancelling") as shown:
        return cancel(
            command,
            store=composition.store,
            catalog_cache=composition.catalog_cache,
            progress=lambda done: shown.update(counted(done.bookings, "booking")),
            should_continue=signals.should_continue,
        )


def _administrator() -> str:
    try:
        return f"cli:{getpass.getuser()}"[:255]
    except (KeyError, OSError):
        # A container may run under a user id without a name.
        return "cli"


def _event(event_id: UUID, composition: Composition) -> TicketedEvent:
    return get_event(event_id, store=composition.store, catalog_cache=composition.catalog_cache).event


def _lines(event: TicketedEvent, bookings: int, seats: int, refunds: Refunds, what: str) -> list[str]:
    lines = [f"{event.name}, {rfc3339(event.starts_at)}, {event.event_id}"]
    lines.append(f"{counted(bookings, 'booking')} with {counted(seats, 'seat')} {what}")
    for currency, (amount, count) in sorted(refunds.items()):
        together = " together" if count > 1 else ""
        lines.append(f"{counted(count, 'refund')} of {written_in(amount, currency)} {currency}{together}")
    return lines


def _print(event_id: UUID, bookings: int, seats: int, refunds: Refunds, as_json: bool, lines: Sequence[str]) -> None:
    if not as_json:
        for line in lines:
            print_line(line)
        return
    refund_objects = [
        {"currency": currency, "amount": written_in(amount, currency), "count": count}
        for currency, (amount, count) in sorted(refunds.items())
    ]
    print_json({"eventId": event_id, "bookings": bookings, "seats": seats, "refunds": refund_objects})
