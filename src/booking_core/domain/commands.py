"""The commands of callers. Frozen; a command with an impossible value raises InvalidValue when it is made."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from attrs import Attribute, Factory, field, frozen

from booking_core.domain.errors import InvalidValue
from booking_core.domain.payments import RefundStatus, money_of, upper_cased
from booking_core.domain.values import (
    Cause,
    Money,
    RefundChoice,
    administrator_cause,
    are_seats,
    customer_cause,
    is_reason,
    is_text,
    payment_cause,
    shortened,
    sorted_ids,
)


@frozen(kw_only=True)
class Reserve:
    """Hold these seats of this event for this customer (US-01)."""

    user_id: str = field(validator=is_text)
    event_id: UUID
    seat_ids: tuple[UUID, ...] = field(converter=sorted_ids, validator=are_seats)
    correlation_id: str = field(validator=is_text)
    cause: Cause = field(init=False, default=Factory(customer_cause, takes_self=True), eq=False, repr=False)


@frozen(kw_only=True)
class CancelBooking:
    """Cancel the customer's booking (US-03)."""

    user_id: str = field(validator=is_text)
    booking_id: UUID
    correlation_id: str = field(validator=is_text)
    cause: Cause = field(init=False, default=Factory(customer_cause, takes_self=True), eq=False, repr=False)


@frozen(kw_only=True)
class PaymentMessage:
    """The fields of every message of the Payment Service. `message_id` is its `eventId`, the key of the inbox.

    `event_type` is its name on the wire. An `eventId` names one message: one booking, one payment and one type.
    """

    message_id: UUID
    booking_id: UUID
    payment_id: str = field(validator=is_text)
    correlation_id: str = field(validator=is_text)
    cause: Cause = field(init=False, default=Factory(payment_cause, takes_self=True), eq=False, repr=False)
    event_type: str = field(init=False, default="", eq=False, repr=False)


@frozen(kw_only=True)
class StartPayment(PaymentMessage):
    """`payment.processing`."""

    event_type: str = field(init=False, default="payment.processing", eq=False, repr=False)


@frozen(kw_only=True)
class ConfirmPayment(PaymentMessage):
    """`payment.success` (FR-08): the money has arrived. `paid` is what `amount` stands for (`payments.money_of`)."""

    amount: Decimal
    currency: str = field(converter=upper_cased)
    paid: Money = field(init=False, default=Factory(money_of, takes_self=True), eq=False, repr=False)
    event_type: str = field(init=False, default="payment.success", eq=False, repr=False)


@frozen(kw_only=True)
class FailPayment(PaymentMessage):
    """`payment.failed` (FR-12)."""

    reason: str = field(default="", converter=shortened, validator=is_reason)
    event_type: str = field(init=False, default="payment.failed", eq=False, repr=False)


def _is_answer(_: Any, attribute: "Attribute[RefundStatus]", value: RefundStatus) -> None:
    if value not in (RefundStatus.COMPLETED, RefundStatus.FAILED):
        raise InvalidValue(attribute.name, "must be COMPLETED or FAILED")


def _answer_type(command: Any) -> str:
    return "refund.completed" if command.status is RefundStatus.COMPLETED else "refund.failed"


@frozen(kw_only=True)
class AnswerRefund(PaymentMessage):
    """`refund.completed` or `refund.failed`."""

    status: RefundStatus = field(validator=_is_answer)
    reason: str = field(default="", converter=shortened, validator=is_reason)
    event_type: str = field(init=False, default=Factory(_answer_type, takes_self=True), eq=False, repr=False)


PaymentCommand = StartPayment | ConfirmPayment | FailPayment | AnswerRefund


@frozen(kw_only=True)
class CancelEvent:
    """Cancel an event, on behalf of an administrator (spec 6.4)."""

    event_id: UUID
    reason: str = field(validator=is_text)
    administrator: str = field(validator=is_text)
    correlation_id: str = field(validator=is_text)
    cause: Cause = field(init=False, default=Factory(administrator_cause, takes_self=True), eq=False, repr=False)


@frozen(kw_only=True)
class CancelByOperator:
    """Cancel a booking, on behalf of an administrator: with a reason for the history, and a decision on the refund."""

    booking_id: UUID
    reason: str = field(validator=is_text)
    refund: RefundChoice = RefundChoice.POLICY
    administrator: str = field(validator=is_text)
    correlation_id: str = field(validator=is_text)
    cause: Cause = field(init=False, default=Factory(administrator_cause, takes_self=True), eq=False, repr=False)


@frozen(kw_only=True)
class ReleaseHold:
    """End the hold of a booking, on behalf of an administrator."""

    booking_id: UUID
    reason: str = field(default="", converter=shortened, validator=is_reason)
    administrator: str = field(validator=is_text)
    correlation_id: str = field(validator=is_text)
    cause: Cause = field(init=False, default=Factory(administrator_cause, takes_self=True), eq=False, repr=False)
