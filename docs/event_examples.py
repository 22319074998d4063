"""One example of every event: published ones are made by their classes, consumed ones pass the parser."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, get_type_hints
from uuid import UUID

import attrs

from booking_core.domain.events import BookingExpired, DomainEvent, EventCancelled
from booking_core.domain.values import CancellationReason, Money, RefundReason
from booking_core.messages.envelopes import PUBLISHED, VERSION

_BOOKING: Final = UUID("0190a5b0-7c3e-7a51-9f00-2b6c1d0e4f11")
_SEATS: Final = (UUID("7b0c5b0e-8f0a-4f6e-9c39-0c8f2f1d2a01"), UUID("7b0c5b0e-8f0a-4f6e-9c39-0c8f2f1d2a02"))
_CORRELATION: Final = "5f2c9a52-1a3b-4c7e-8d0f-6a7b8c9d0e1f"
_PRICE: Final = Money(amount=Decimal(150), currency="USD")


def _at(minute: int, microsecond: int = 0) -> datetime:
    return datetime(2026, 3, 1, 10, minute, 0, microsecond, tzinfo=UTC)


_VALUES: Final[Mapping[str, Any]] = {
    "message_id": UUID("0190a5b0-7c40-7d22-8e11-3c7d2e1f5a22"),
    "timestamp": _at(0, 123456),
    "correlation_id": _CORRELATION,
    "sequence": 1,
    "booking_id": _BOOKING,
    "user_id": "auth0|6543210fedcba",
    "event_id": UUID("3f6f3a0e-52c6-4f0e-9a3b-0d3f7f5f8a11"),
    "seat_ids": _SEATS,
    "released_seat_ids": _SEATS,
    "total": _PRICE,
    "refund": _PRICE,
    "expires_at": _at(10, 123456),
    "confirmed_at": _at(4),
    "cancelled_at": _at(30),
    "ticket_reference": "7QK3M9T2VX4B8N6R1C5D0FGHJWYZ",
    "payment_id": "pay-81f2",
    "affected_bookings": 1250,
}
_REASONS: Final[Mapping[type, Any]] = {
    CancellationReason: CancellationReason.USER_CANCELLED,
    RefundReason: RefundReason.DUPLICATE_PAYMENT,
    str: "the hall is flooded",
}


def published_example(kind: type[DomainEvent]) -> DomainEvent:
    """An event of that class."""
    hints = get_type_hints(kind)
    names = [each.name for each in attrs.fields(kind)]
    values = {name: _REASONS[hints[name]] if name == "reason" else _VALUES[name] for name in names}
    if kind is BookingExpired:
        values["reason"] = CancellationReason.EXPIRED
    if kind not in (EventCancelled, PUBLISHED["booking.created"]):
        values["sequence"] = 2
    return kind(**values)


def consumed_example(event_type: str) -> dict[str, Any]:
    """A message of that type, with every field that we read."""
    payload: dict[str, Any] = {"bookingId": str(_BOOKING), "paymentId": "pay-81f2"}
    if event_type == "payment.success":
        payload |= {"amount": _PRICE.written, "currency": _PRICE.currency}
    if event_type.endswith(".failed"):
        payload |= {"reason": "the card was declined"}
    return {
        "eventId": "c1f0a8de-4b6a-4d0c-9d50-2f6a2f0c7b33",
        "eventType": event_type,
        "timestamp": "2026-03-01T10:03:59Z",
        "version": VERSION,
        "correlationId": _CORRELATION,
        "payload": payload,
    }
