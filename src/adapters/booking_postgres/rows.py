"""Rows to bookings and back, by hand: the domain's classes know nothing of tables."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from booking_core.domain.booking import Booking
from booking_core.domain.history import HistoryEntry
from booking_core.domain.lifecycle import Status, Trigger
from booking_core.domain.payments import Payment, PaymentStatus, RefundStatus
from booking_core.domain.values import ActorKind, CancellationReason, Money, RefundReason, Seat
from booking_core.ports import Closure
from booking_postgres.driver.pipeline import Row

# Everything of a booking in one row. Amounts inside JSON are text, for JSON numbers would pass through floats.
BOOKING_COLUMNS: Final = """
    b.booking_id, b.event_id, b.user_id, b.status, b.total, b.currency, b.created_at, b.expires_at, b.deadline,
    b.correlation_id, b.processing_started_at, b.confirmed_at, b.ticket_reference, b.confirmed_by, b.cancelled_at,
    b.cancellation_reason, b.revision, b.sequence,
    (SELECT json_agg(json_build_array(c.seat_id, c.row_name, c.number, c.price::text) ORDER BY c.seat_id)
       FROM booking.claims c WHERE c.slot = b.slot AND c.booking_id = b.booking_id) AS seats,
    (SELECT json_agg(json_build_array(p.payment_id, p.status, p.recorded_at, p.amount::text, p.currency, p.taken_at,
                                      p.refund_reason, p.refund_status, p.refund_requested_at, p.refund_answered_at)
                     ORDER BY p.recorded_at, p.payment_id)
       FROM booking.payments p WHERE p.slot = b.slot AND p.booking_id = b.booking_id) AS payments
"""

CLOSURE_COLUMNS: Final = "event_id, close_reason, closed_at, closed_by, close_correlation_id, finished_at IS NOT NULL"

_STATUS: Final = {status.value: status for status in Status}


def booking_of(row: Row) -> Booking:
    """The booking of a row that starts with BOOKING_COLUMNS."""
    return Booking(
        booking_id=row[0],
        event_id=row[1],
        user_id=row[2],
        status=_STATUS[row[3]],
        total=Money(amount=row[4], currency=row[5]),
        created_at=row[6],
        expires_at=row[7],
        deadline=row[8],
        correlation_id=row[9],
        processing_started_at=row[10],
        confirmed_at=row[11],
        ticket_reference=row[12],
        confirmed_by=row[13],
        cancelled_at=row[14],
        cancellation_reason=CancellationReason(row[15]) if row[15] else None,
        revision=row[16],
        sequence=row[17],
        seats=tuple(_seat_of(each) for each in row[18] or ()),
        payments={each[0]: _payment_of(each) for each in row[19] or ()},
    )


def closure_of(row: Row) -> Closure:
    """The closure of a row of CLOSURE_COLUMNS."""
    return Closure(
        event_id=row[0],
        reason=row[1],
        cancelled_at=row[2],
        administrator=row[3],
        correlation_id=row[4],
        finished=row[5],
    )


def history_of(row: Row) -> HistoryEntry:
    """The entry of a row of `history` without its slot and booking id."""
    return HistoryEntry(
        number=row[0],
        at=row[1],
        trigger=Trigger(row[2]),
        from_status=Status(row[3]) if row[3] else None,
        to_status=Status(row[4]),
        actor=ActorKind(row[5]),
        actor_id=row[6],
        correlation_id=row[7],
        payment_id=row[8],
        note=row[9],
    )


def payment_values(payment: Payment) -> dict[str, Any]:
    """The columns of a payment, without its booking."""
    return {
        "payment_id": payment.payment_id,
        "status": payment.status.value,
        "recorded_at": payment.recorded_at,
        "amount": payment.amount,
        "currency": payment.currency,
        "taken_at": payment.taken_at,
        "refund_reason": payment.refund_reason.value if payment.refund_reason else None,
        "refund_status": payment.refund_status.value if payment.refund_status else None,
        "refund_requested_at": payment.refund_requested_at,
        "refund_answered_at": payment.refund_answered_at,
    }


def _seat_of(part: Sequence[Any]) -> Seat:
    return Seat(seat_id=UUID(part[0]), row=part[1], number=part[2], price=Decimal(part[3]))


def _payment_of(part: Sequence[Any]) -> Payment:
    return Payment(
        payment_id=part[0],
        status=PaymentStatus(part[1]),
        recorded_at=datetime.fromisoformat(part[2]),
        amount=None if part[3] is None else Decimal(part[3]),
        currency=part[4],
        taken_at=_time_of(part[5]),
        refund_reason=RefundReason(part[6]) if part[6] else None,
        refund_status=RefundStatus(part[7]) if part[7] else None,
        refund_requested_at=_time_of(part[8]),
        refund_answered_at=_time_of(part[9]),
    )


def _time_of(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
