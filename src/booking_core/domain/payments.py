"""One payment of one booking: the money that it brings, and its refund. The one place where amounts are rounded."""

from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from enum import Enum
from typing import Any, Final

from attrs import define

from booking_core.domain.values import MAX_AMOUNT, Money, RefundReason, decimals_of

# In smallest units: a binary fraction is nearer to the amount that it stands for, and no price is so small.
_TOLERANCE: Final = Decimal("0.001")
# A double that is no amount of its currency has fewer digits, also when they are all written out.
_AS_SENT: Final = Context(prec=100, rounding=ROUND_HALF_EVEN, traps=[])


def upper_cased(currency: Any) -> Any:
    """Converter: the currency in capital letters; some payment services send `usd`."""
    return currency.upper() if isinstance(currency, str) and currency.isascii() else currency


def rounded(amount: Decimal, currency: str) -> Decimal:
    """The amount, rounded half-even to the smallest unit of its currency."""
    return amount.quantize(Decimal(1).scaleb(-decimals_of(currency)), context=_AS_SENT)


def stands_for(amount: Decimal, currency: str) -> Decimal | None:
    """The amount of this currency that a finite one stands for; None if there is none.

    An amount within a thousandth of the smallest unit of one that the currency has is taken as that one:
    0.30000000000000004 USD is 0.30 USD.
    """
    nearest = rounded(amount, currency)
    is_near = _AS_SENT.subtract(amount, nearest).copy_abs() <= _TOLERANCE.scaleb(-decimals_of(currency))
    if not is_near:
        return None
    return nearest if nearest else nearest.copy_abs()


def money_of(payment: Any) -> Money:
    """The money that a payment brings. Raises InvalidValue for an impossible amount or currency.

    An amount that `stands_for` another is taken as that one; any other is kept as sent, to 100 significant digits.
    """
    return money_meant(payment.amount, payment.currency)


def money_meant(amount: Any, currency: Any) -> Money:
    """The money that an amount stands for, as `money_of` says it."""
    if isinstance(amount, Decimal) and amount.is_finite() and -1 < amount < MAX_AMOUNT and isinstance(currency, str):
        nearest = rounded(amount, currency)
        meant = nearest if nearest >= MAX_AMOUNT else stands_for(amount, currency)
        amount = _AS_SENT.plus(amount) if meant is None else meant
    return Money(amount=amount, currency=currency)


class PaymentStatus(Enum):
    """The last status that the Payment Service reported. TAKEN is final: `failed` after `success` changes nothing."""

    PROCESSING = "PROCESSING"
    FAILED = "FAILED"
    TAKEN = "TAKEN"


class RefundStatus(Enum):
    """The progress of a refund. COMPLETED is final; FAILED may become COMPLETED."""

    REQUESTED = "REQUESTED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


@define(kw_only=True)
class Payment:
    """A payment, identified by booking and payment id and recorded once; only its booking changes it.

    `amount` is as it was sent (see `money_of`). At most one refund is requested for it: `refund_reason` is set once.
    """

    payment_id: str
    status: PaymentStatus
    recorded_at: datetime
    amount: Decimal | None = None
    currency: str | None = None
    taken_at: datetime | None = None
    refund_reason: RefundReason | None = None
    refund_status: RefundStatus | None = None
    refund_requested_at: datetime | None = None
    refund_answered_at: datetime | None = None

    @property
    def is_taken(self) -> bool:
        """Whether the money has arrived."""
        return self.status is PaymentStatus.TAKEN

    @property
    def refundable(self) -> Money | None:
        """What a refund pays back: the amount, rounded half-even to the smallest unit; None if that is nothing."""
        if not self.amount or self.currency is None:
            return None
        amount = rounded(self.amount, self.currency)
        return Money(amount=amount, currency=self.currency) if amount else None
