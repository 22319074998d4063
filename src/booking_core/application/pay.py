"""What the Payment Service tells us (FR-08 to FR-13). Each message is applied at most once, whatever is redelivered.

Those that take one message return True if it changed the booking, and False if it was seen before or changes nothing.
They raise BookingNotFound for a booking we do not have: then nothing is recorded, so that a replay can apply it later.
"""

from collections.abc import Sequence
from enum import Enum

from booking_core.application.retries import in_unit_of_work
from booking_core.application.system_runtime import SYSTEM_RUNTIME
from booking_core.domain.commands import AnswerRefund, ConfirmPayment, FailPayment, PaymentCommand, StartPayment
from booking_core.domain.errors import BookingNotFound
from booking_core.domain.values import Terms
from booking_core.ports.runtime import Runtime
from booking_core.ports.store import Store
from booking_core.ports.unit_of_work import LockedBooking, UnitOfWork


class Effect(Enum):
    """What a message did to its booking."""

    CHANGED = "changed"
    NOTHING = "nothing"  # it was seen before, or the booking is past it
    NO_BOOKING = "no booking"


def start_payment(
    command: StartPayment, *, store: Store, terms: Terms | None = None, runtime: Runtime = SYSTEM_RUNTIME
) -> bool:
    """`payment.processing`: a PENDING booking in time becomes PROCESSING, with a deadline of its own (spec 6.2)."""
    return _apply(command, store, runtime, terms)


def confirm_payment(command: ConfirmPayment, *, store: Store, runtime: Runtime = SYSTEM_RUNTIME) -> bool:
    """`payment.success`: the booking is CONFIRMED, or the money is asked back, exactly once (FR-09 to FR-11)."""
    return _apply(command, store, runtime)


def fail_payment(command: FailPayment, *, store: Store, runtime: Runtime = SYSTEM_RUNTIME) -> bool:
    """`payment.failed`: a hold ends and its seats are free at once (FR-12, FR-13)."""
    return _apply(command, store, runtime)


def answer_refund(command: AnswerRefund, *, store: Store, runtime: Runtime = SYSTEM_RUNTIME) -> bool:
    """`refund.completed`, `refund.failed`: what became of a refund we asked for; completed is final."""
    return _apply(command, store, runtime)


def apply_payments(
    commands: Sequence[PaymentCommand],
    *,
    store: Store,
    terms: Terms | None = None,
    runtime: Runtime = SYSTEM_RUNTIME,
) -> Sequence[Effect]:
    """Do what these messages say, in their order and in one transaction; the effect of each.

    All of it happens or nothing does: whatever one of them raises, none was applied. Their bookings are locked until
    the end, so their number should be moderate. Of a message without a booking nothing is recorded.
    """
    limits = terms or Terms()

    def work(uow: UnitOfWork) -> Sequence[Effect]:
        locked = uow.bookings.lock(*{command.booking_id for command in commands})
        known = [command for command in commands if command.booking_id in locked]
        fresh = uow.inbox.mark_processed([(command.booking_id, command.message_id) for command in known])
        is_fresh = iter(fresh)
        effects = [
            _effect(command, locked[command.booking_id], limits, next(is_fresh))
            if command.booking_id in locked
            else Effect.NO_BOOKING
            for command in commands
        ]
        for each in locked.values():
            uow.bookings.save(each.booking)
        if any(fresh):
            uow.commit()
        return effects

    return in_unit_of_work(store, work, runtime=runtime)


def _apply(command: PaymentCommand, store: Store, runtime: Runtime, terms: Terms | None = None) -> bool:
    [effect] = apply_payments([command], store=store, terms=terms, runtime=runtime)
    if effect is Effect.NO_BOOKING:
        raise BookingNotFound()
    return effect is Effect.CHANGED


def _effect(command: PaymentCommand, locked: LockedBooking, limits: Terms, is_fresh: bool) -> Effect:
    if not is_fresh:
        return Effect.NOTHING
    before = locked.booking.revision
    _act(command, locked, limits)
    return Effect.NOTHING if locked.booking.revision == before else Effect.CHANGED


def _act(command: PaymentCommand, locked: LockedBooking, limits: Terms) -> None:
    booking, now, cause, payment_id = locked.booking, locked.now, command.cause, command.payment_id
    match command:
        case StartPayment():
            booking.start_payment(payment_id, now, limits, cause)
        case ConfirmPayment():
            booking.confirm(payment_id, command.paid, now, cause)
        case FailPayment():
            booking.fail_payment(payment_id, command.reason, now, cause)
        case AnswerRefund():
            booking.answer_refund(payment_id, command.status, command.reason, now, cause)
