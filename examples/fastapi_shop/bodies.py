"""What requests and answers look like."""

from datetime import datetime
from decimal import Decimal
from typing import Self
from uuid import UUID

from pydantic import BaseModel

from booking_core import Booking


class NewOrder(BaseModel):
    """The body of POST /orders."""

    number: str
    event_id: UUID
    seat_ids: list[UUID]
    voucher: str | None = None


class PaymentTaken(BaseModel):
    """What the payment provider sends."""

    message_id: UUID
    order: str
    payment_id: str
    amount: Decimal
    currency: str


class OrderShown(BaseModel):
    """An order as its customer sees it."""

    booking_id: UUID
    status: str
    total: Decimal
    currency: str
    expires_at: datetime
    ticket: str | None

    @classmethod
    def of(cls, booking: Booking) -> Self:
        """The order with this booking."""
        return cls(
            booking_id=booking.booking_id,
            status=booking.status.value,
            total=booking.total.written,
            currency=booking.total.currency,
            expires_at=booking.expires_at,
            ticket=booking.ticket_reference,
        )
