"""Apply messages of the Payment Service (FR-08 to FR-13), each at most once however often it is delivered.

The functions that take one message return True if it changed the booking, and False if it was applied before or changes
nothing. They raise BookingNotFound for an unknown booking and record nothing, so that a replay can apply it later. They
raise EventIdReused if the message's id is that of another message.

The inbox may be pruned: a message that has changed its booking changes nothing when it comes again, because the booking
remembers the payment. The one message that could is retained in the inbox: the answer to a refund that is not requested
yet.
"""

from collections.abc import Sequence
from enum import Enum

from booking_core.application.retries import in_unit_of_work
from booking_core.application.system_runtime import SYSTEM_RUNTIME
from booking_core.domain.commands import AnswerRefund, ConfirmPayment, FailPayment, PaymentCommand, StartPayment
from booking_core.domain.errors import BookingNotFound, EventIdReused
from booking_core.domain.values import Terms
from booking_core.ports.bookings import LockedBooking
from booking_core.ports.runtime import Runtime
from booking_core.ports.store import Store
from booking_core.ports.unit_of_work import Receipt, UnitOfWork


class Effect(Enum):
    """The effect of a message on its booking."""

    CHANGED = "changed"
    NOTHING = "nothing"  # applied before, or without effect in this status
    NO_BOOKING = "no booking"
    EVENT_ID_REUSED = "event id reused"


def start_payment(
    command: StartPayment, *, store: Store, terms: Terms | None = None, runtime: Runtime = SYSTEM_RUNTIME
) -> bool:
    """`payment.processing`: a PENDING booking in time becomes PROCESSING with a deadline of its own (spec 6.2)."""
    return _apply(command, store, runtime, terms)


def confirm_payment(command: ConfirmPayment, *, store: Store, runtime: Runtime = SYSTEM_RUNTIME) -> bool:
    """`payment.success`: confirm the booking, or request one refund (FR-09 to FR-11)."""
    return _apply(command, store, runtime)


def fail_payment(command: FailPayment, *, store: Store, runtime: Runtime = SYSTEM_RUNTIME) -> bool:
    """`payment.failed`: end the hold; its seats are free at once (FR-12, FR-13)."""
    return _apply(command, store, runtime)


def answer_refund(command: AnswerRefund, *, store: Store, runtime: Runtime = SYSTEM_RUNTIME) -> bool:
    """`refund.completed`, `refund.failed`: record the outcome of a refund; completed is final."""
    return _apply(command, store, runtime)


def apply_payments(
    commands: Sequence[PaymentCommand],
    *,
    store: Store,
    terms: Terms | None = None,
    runtime: Runtime = SYSTEM_RUNTIME,
) -> Sequence[Effect]:
    """Apply the messages in order and in one transaction, and return the effect of each.

    If one raises, none was applied. The bookings are locked until the end, so the number of messages should be
    moderate. Nothing is applied of a message whose booking is unknown or whose id is that of another message.
    """
    terms = terms or Terms()

    def work(uow: UnitOfWork) -> Sequence[Effect]:
        locked = uow.bookings.lock(*{command.booking_id for command in commands})
        known = [command for command in commands if command.booking_id in locked]
        receipts = uow.inbox.mark_processed(known)
        early: list[PaymentCommand] = []
        effects: list[Effect] = []
        for command, receipt in zip(known, receipts, strict=True):
            effects.append(_effect(command, locked[command.booking_id], terms, receipt))
            if receipt is Receipt.NEW and _is_early(command, locked[command.booking_id]):
                early.append(command)
        uow.inbox.retain(early)
        for each in locked.values():
            uow.bookings.save(each.booking)
        if any(receipt is not Receipt.REPEATED for receipt in receipts):
            uow.commit()
        of_known = iter(effects)
        return [next(of_known) if command.booking_id in locked else Effect.NO_BOOKING for command in commands]

    return in_unit_of_work(store, work, runtime=runtime)


def _apply(command: PaymentCommand, store: Store, runtime: Runtime, terms: Terms | None = None) -> bool:
    [effect] = apply_payments([command], store=store, terms=terms, runtime=runtime)
    if effect is Effect.NO_BOOKING:
        raise BookingNotFound()
    if effect is Effect.EVENT_ID_REUSED:
        raise EventIdReused()
    return effect is Effect.CHANGED


def _effect(command: PaymentCommand, locked: LockedBooking, terms: Terms, receipt: Receipt) -> Effect:
    if receipt is not Receipt.NEW:
        return Effect.EVENT_ID_REUSED if receipt is Receipt.REUSED else Effect.NOTHING
    before = locked.booking.revision
    _act(command, locked, terms)
    return Effect.NOTHING if locked.booking.revision == before else Effect.CHANGED


def _is_early(command: PaymentCommand, locked: LockedBooking) -> bool:
    """Whether the message answers a refund that is not requested: if it came again later, it would end that refund."""
    payment = locked.booking.payments.get(command.payment_id)
    return isinstance(command, AnswerRefund) and (payment is None or payment.refund_status is None)


def _act(command: PaymentCommand, locked: LockedBooking, terms: Terms) -> None:
    booking, now, cause, payment_id = locked.booking, locked.now, command.cause, command.payment_id
    match command:
        case StartPayment():
            booking.start_payment(payment_id, now, terms, cause)
        case ConfirmPayment():
            booking.confirm(payment_id, command.paid, now, cause)
        case FailPayment():
            booking.fail_payment(payment_id, command.reason, now, cause)
        case AnswerRefund():
            booking.answer_refund(payment_id, command.status, command.reason, now, cause)
