"""Payments in full, as the Payment Service tells of them."""

import json
from typing import Final
from uuid import UUID, uuid4

import psycopg

from benchmarks.yardsticks.bare_client import Record

_BOOKINGS: Final = """
    SELECT booking_id, total FROM booking.bookings WHERE status = 'PENDING' ORDER BY md5(booking_id::text)
"""


def payments(url: str) -> list[Record]:
    """A `payment.success` for each PENDING booking, in no order that the database would know."""
    with psycopg.connect(url) as connection:
        return [_payment(booking_id, float(total)) for booking_id, total in connection.execute(_BOOKINGS)]


def _payment(booking_id: UUID, amount: float) -> Record:
    envelope = {
        "eventId": str(uuid4()),
        "eventType": "payment.success",
        "timestamp": "2026-01-01T00:00:00Z",
        "version": "1.0",
        "correlationId": str(uuid4()),
        "payload": {
            "bookingId": str(booking_id),
            "paymentId": f"pay-{uuid4()}",
            "amount": amount,
            "currency": "USD",
        },
    }
    return str(booking_id).encode(), json.dumps(envelope).encode(), []
