"""One payment of one booking, and its refund."""

from datetime import datetime
from decimal import Decimal
from enum import Enum

from attrs import define

from booking_core.domain.values import RefundReason


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

    At most one refund is requested for it: `refund_reason` is set once.
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
