"""`booking cancel-event`, `cancel` and `release`: an operator ends an event, a booking or a hold."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from uuid import UUID, uuid4

import click

from booking_cli.booking_objects import Events, booking_object, events_of, seats_of
from booking_cli.confirming import asks, confirm, yes_option
from booking_cli.invocation import CommandFailed, Invocation, administrator, example, pass_invocation
from booking_cli.printing import counted, json_option, print_json, print_line, progress
from booking_core.application import CancelledEvent, cancel_by_operator, get_event, release_hold, show_booking
from booking_core.application import cancel_event as end_event
from booking_core.domain.booking import Booking
from booking_core.domain.commands import CancelByOperator, CancelEvent, ReleaseHold
from booking_core.domain.errors import InvalidValue
from booking_core.domain.events import RefundRequested
from booking_core.domain.values import CancellationReason, RefundChoice, TicketedEvent, written_in
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


@click.command(
    epilog=example('booking cancel 0190a5b0-7c3e-7a51-9f00-2b6c1d0e4f11 --reason "bought twice" --refund full')
)
@click.argument("booking_id", type=click.UUID)
@click.option("--reason", required=True, help="The reason in the history; 1 to 255 characters.")
@click.option(
    "--refund",
    type=click.Choice([choice.value for choice in RefundChoice]),
    default=RefundChoice.POLICY.value,
    show_default=True,
    help="All that was paid, what the customer would get (BR-04), or nothing.",
)
@yes_option
@json_option
@pass_invocation
def cancel(
    invocation: Invocation, booking_id: UUID, reason: str, refund: str, is_confirmed: bool, as_json: bool
) -> None:
    """Cancel one booking of any customer, also after the start of its event.

    PENDING and CONFIRMED end as USER_CANCELLED, and their seats are free at once; the history names the operator and
    the reason. While a payment is in progress it is refused. It can't be undone: on a terminal it names the booking and
    the refund, and asks.
    """
    command = CancelByOperator(
        booking_id=booking_id,
        reason=_reason(reason),
        refund=RefundChoice(refund),
        administrator=administrator(),
        correlation_id=str(uuid4()),
    )
    with invocation.composition("cancel", Need.DATABASE, Need.CATALOG) as composition:
        store = composition.store
        if asks(is_confirmed):
            booking, _ = show_booking(booking_id, store=store)
            events = events_of([booking], store)
            event = events.get(booking.event_id)
            starts_at = event.starts_at if event else None
            # On the copy: it raises what the command would, and requests the same refunds.
            booking.cancel_by_operator(store.reads.now(), starts_at, command.refund, command.reason, command.cause)
            confirm(_naming(booking, events), _with_refunds("would be cancelled", booking), is_confirmed=is_confirmed)
        done = cancel_by_operator(command, store=store, catalog_cache=composition.catalog_cache)
        events = events_of([done], store)
    _print_ended(done, events, as_json, "cancelled")


@click.command(epilog=example("booking release 0190a5b0-7c3e-7a51-9f00-2b6c1d0e4f11"))
@click.argument("booking_id", type=click.UUID)
@click.option("--reason", default="", help="A note for the history.")
@json_option
@pass_invocation
def release(invocation: Invocation, booking_id: UUID, reason: str, as_json: bool) -> None:
    """End the hold of a PENDING booking, so that its seats can be reserved at once.

    It ends as USER_CANCELLED, and the history names the operator; a hold whose time is over ends as EXPIRED. While a
    payment is in progress it is refused, and so is a booking that is paid: see `booking cancel`.
    """
    try:
        command = ReleaseHold(
            booking_id=booking_id, reason=reason, administrator=administrator(), correlation_id=str(uuid4())
        )
    except InvalidValue as error:
        raise click.BadParameter(str(error), param_hint="--reason") from error
    with invocation.composition("release", Need.DATABASE) as composition:
        done = release_hold(command, store=composition.store)
        events = events_of([done], composition.store)
    _print_ended(done, events, as_json, "released")


def _naming(booking: Booking, events: Events) -> str:
    event = events.get(booking.event_id)
    where = f"{event.name}, {rfc3339(event.starts_at)}" if event else str(booking.event_id)
    return f"{booking.booking_id} of {booking.user_id}: {where}, {seats_of(booking)}"


def _with_refunds(what: str, booking: Booking) -> str:
    refunds = [each.refund for each in booking.new_events if isinstance(each, RefundRequested)]
    asked = ", ".join(f"{refund.written} {refund.currency}" for refund in refunds)
    return f"{what}, {counted(len(booking.seats), 'seat')} released, refund requested: {asked or 'none'}"


def _print_ended(done: Booking, events: Events, as_json: bool, what: str) -> None:
    if as_json:
        print_json(booking_object(done, events))
        return
    print_line(_naming(done, events))
    if not done.new_history:
        print_line("was cancelled before; nothing has changed")
        return
    reason = done.cancellation_reason
    ended = what if reason is CancellationReason.USER_CANCELLED else f"ended as {reason.value if reason else ''}"
    print_line(_with_refunds(ended, done))


def _reason(text: str) -> str:
    """Check the reason as the commands of the domain do. Raises BadParameter."""
    return _command(UUID(int=0), text).reason


def _command(event_id: UUID, reason: str) -> CancelEvent:
    try:
        return CancelEvent(event_id=event_id, reason=reason, administrator=administrator(), correlation_id=str(uuid4()))
    except InvalidValue as error:
        raise click.BadParameter(str(error), param_hint="--reason") from error


def _cancel(command: CancelEvent, composition: Composition, signals: StopSignals) -> CancelledEvent:
    with progress("cancelling") as shown:
        return end_event(
            command,
            store=composition.store,
            catalog_cache=composition.catalog_cache,
            progress=lambda done: shown.update(counted(done.bookings, "booking")),
            should_continue=signals.should_continue,
        )


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
