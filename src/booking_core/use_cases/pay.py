"""What the Payment Service tells us (FR-08 to FR-13). Each message is applied at most once, whatever is redelivered.

All of them return True if they changed the booking, and False if the message was seen before or changes nothing. They
raise BookingNotFound for a booking we do not have: then nothing is recorded, so that a replay can apply it later.
"""

from collections.abc import Callable

from booking_core.commands import AnswerRefund, ConfirmPayment, FailPayment, PaymentMessage, StartPayment
from booking_core.errors import BookingNotFound
from booking_core.ports.repositories import LockedBooking
from booking_core.ports.store import Store, UnitOfWork
from booking_core.running import in_unit_of_work
from booking_core.values import Terms


def start_payment(command: StartPayment, *, store: Store, terms: Terms | None = None) -> bool:
    """`payment.processing`: a PENDING booking in time becomes PROCESSING, with a deadline of its own (spec 6.2)."""
    limits = terms or Terms()
    return _apply(
        command,
        store,
        lambda locked: locked.booking.start_payment(command.payment_id, locked.now, limits, command.cause),
    )


def confirm_payment(command: ConfirmPayment, *, store: Store) -> bool:
    """`payment.success`: the booking is CONFIRMED, or the money is asked back, exactly once (FR-09 to FR-11)."""
    return _apply(
        command,
        store,
        lambda locked: locked.booking.confirm(command.payment_id, command.paid, locked.now, command.cause),
    )


def fail_payment(command: FailPayment, *, store: Store) -> bool:
    """`payment.failed`: a hold ends and its seats are free at once (FR-12, FR-13)."""
    return _apply(
        command,
        store,
        lambda locked: locked.booking.fail_payment(command.payment_id, command.reason, locked.now, command.cause),
    )


def answer_refund(command: AnswerRefund, *, store: Store) -> bool:
    """`refund.completed`, `refund.failed`: what became of a refund we asked for; completed is final."""
    return _apply(
        command,
        store,
        lambda locked: locked.booking.answer_refund(
            command.payment_id, command.status, command.reason, locked.now, command.cause
        ),
    )


def _apply(command: PaymentMessage, store: Store, act: Callable[[LockedBooking], object]) -> bool:
    def work(uow: UnitOfWork) -> bool:
        locked = uow.bookings.lock(command.booking_id)
        if locked is None:
            raise BookingNotFound()
        if not uow.inbox.remember(command.booking_id, command.message_id):
            return False
        act(locked)
        changed = bool(locked.booking.new_history)
        uow.bookings.save(locked.booking)
        uow.commit()
        return changed

    return in_unit_of_work(store, work)
