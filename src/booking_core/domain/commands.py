"""What callers ask for. Frozen; what cannot be asked raises InvalidValue when it is made."""

from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from attrs import Attribute, field, frozen

from booking_core.domain.errors import InvalidValue
from booking_core.domain.payments import RefundStatus
from booking_core.domain.values import MAX_TEXT, ActorKind, Cause, Money, is_storable

# A reason is for people and is cut, for the message it explains must not fail for its length.
MAX_REASON: Final = 1000


def _is_text(_: Any, attribute: "Attribute[str]", value: Any) -> None:
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_TEXT:
        raise InvalidValue(attribute.name, f"must be a text of 1 to {MAX_TEXT} characters")
    _is_storable(_, attribute, value)


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_REASON else text[: MAX_REASON - 1] + "…"


def _is_storable(_: Any, attribute: "Attribute[str]", value: str) -> None:
    if not is_storable(value):
        raise InvalidValue(attribute.name, "must not hold NUL or unpaired surrogates")


def _is_answer(_: Any, attribute: "Attribute[RefundStatus]", value: RefundStatus) -> None:
    if value not in (RefundStatus.COMPLETED, RefundStatus.FAILED):
        raise InvalidValue(attribute.name, "must be COMPLETED or FAILED")


def _are_seats(_: Any, attribute: "Attribute[tuple[UUID, ...]]", value: tuple[UUID, ...]) -> None:
    if not value:
        raise InvalidValue(attribute.name, "must name at least one seat")
    if len(set(value)) != len(value):
        raise InvalidValue(attribute.name, "must not name a seat twice")


def _sorted(seat_ids: Any) -> tuple[UUID, ...]:
    return tuple(sorted(seat_ids))


@frozen(kw_only=True)
class Reserve:
    """Hold these seats of this event for this customer (US-01)."""

    user_id: str = field(validator=_is_text)
    event_id: UUID
    seat_ids: tuple[UUID, ...] = field(converter=_sorted, validator=_are_seats)
    correlation_id: str = field(validator=_is_text)

    @property
    def cause(self) -> Cause:
        """The customer did it."""
        return Cause(actor=ActorKind.CUSTOMER, actor_id=self.user_id, correlation_id=self.correlation_id)


@frozen(kw_only=True)
class CancelBooking:
    """The customer gives the booking back (US-03)."""

    user_id: str = field(validator=_is_text)
    booking_id: UUID
    correlation_id: str = field(validator=_is_text)

    @property
    def cause(self) -> Cause:
        """The customer did it."""
        return Cause(actor=ActorKind.CUSTOMER, actor_id=self.user_id, correlation_id=self.correlation_id)


@frozen(kw_only=True)
class PaymentMessage:
    """What every message of the Payment Service says. `message_id` is its envelope's `eventId` (the inbox's key)."""

    message_id: UUID
    booking_id: UUID
    payment_id: str = field(validator=_is_text)
    correlation_id: str = field(validator=_is_text)

    @property
    def cause(self) -> Cause:
        """The payment did it."""
        return Cause(actor=ActorKind.PAYMENT_EVENT, actor_id=str(self.message_id), correlation_id=self.correlation_id)


@frozen(kw_only=True)
class StartPayment(PaymentMessage):
    """`payment.processing`."""


@frozen(kw_only=True)
class ConfirmPayment(PaymentMessage):
    """`payment.success` (FR-08): the money has arrived."""

    amount: Decimal
    currency: str

    @property
    def paid(self) -> Money:
        """The money; raises InvalidValue for amounts and currencies that cannot be."""
        return Money(amount=self.amount, currency=self.currency)

    def __attrs_post_init__(self) -> None:
        _ = self.paid


@frozen(kw_only=True)
class FailPayment(PaymentMessage):
    """`payment.failed` (FR-12)."""

    reason: str = field(default="", converter=_shortened, validator=_is_storable)


@frozen(kw_only=True)
class AnswerRefund(PaymentMessage):
    """`refund.completed` or `refund.failed`."""

    status: RefundStatus = field(validator=_is_answer)
    reason: str = field(default="", converter=_shortened, validator=_is_storable)


PaymentCommand = StartPayment | ConfirmPayment | FailPayment | AnswerRefund


@frozen(kw_only=True)
class CancelEvent:
    """An administrator cancels an event (spec 6.4)."""

    event_id: UUID
    reason: str = field(validator=_is_text)
    administrator: str = field(validator=_is_text)
    correlation_id: str = field(validator=_is_text)

    @property
    def cause(self) -> Cause:
        """The administrator did it."""
        return Cause(actor=ActorKind.ADMINISTRATOR, actor_id=self.administrator, correlation_id=self.correlation_id)
