"""Bookings as rows: loading one from a row, and the statements that write a changed one.

Rows are translated by hand, so that the domain's classes know nothing of tables.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from booking_core.domain.booking import Booking
from booking_core.domain.events import DomainEvent
from booking_core.domain.history import HistoryEntry
from booking_core.domain.identity import slot_of_booking
from booking_core.domain.lifecycle import Status, Trigger
from booking_core.domain.payments import Payment, PaymentStatus, RefundStatus
from booking_core.domain.values import ActorKind, CancellationReason, Money, RefundReason, Seat, in_reading_order
from booking_core.messages.envelopes import encode, event_type_of, key_of, slot_of
from booking_postgres.driver.pipeline import Row, Statement

# All of a booking in one row. Amounts inside JSON are text, because JSON numbers would pass through floats.
BOOKING_COLUMNS: Final = """
    b.booking_id, b.event_id, b.user_id, b.status, b.total, b.currency, b.created_at, b.expires_at, b.deadline,
    b.correlation_id, b.processing_started_at, b.confirmed_at, b.ticket_reference, b.confirmed_by, b.cancelled_at,
    b.cancellation_reason, b.revision, b.sequence,
    (SELECT json_agg(json_build_array(c.seat_id, c.row_name, c.number, c.price::text))
       FROM booking.claims c WHERE c.slot = b.slot AND c.booking_id = b.booking_id) AS seats,
    (SELECT json_agg(json_build_array(p.payment_id, p.status, p.recorded_at, p.amount::text, p.currency, p.taken_at,
                                      p.refund_reason, p.refund_status, p.refund_requested_at, p.refund_answered_at)
                     ORDER BY p.recorded_at, p.payment_id)
       FROM booking.payments p WHERE p.slot = b.slot AND p.booking_id = b.booking_id) AS payments
"""

_STATUS: Final = {status.value: status for status in Status}
_UPDATE: Final = """
    UPDATE booking.bookings SET status = %(status)s, deadline = %(deadline)s,
        processing_started_at = %(processing_started_at)s, confirmed_at = %(confirmed_at)s,
        ticket_reference = %(ticket_reference)s, confirmed_by = %(confirmed_by)s, cancelled_at = %(cancelled_at)s,
        cancellation_reason = %(cancellation_reason)s, revision = %(revision)s, sequence = %(sequence)s
    WHERE slot = %(slot)s AND booking_id = %(booking_id)s AND revision = %(loaded_revision)s
"""
# Every claim of a live booking is live. A condition that says so would let a plan that was made while the table was
# empty read all live claims of the slot, in the index of those.
_END_CLAIMS: Final = """
    UPDATE booking.claims SET ended_at = %(cancelled_at)s WHERE slot = %(slot)s AND booking_id = %(booking_id)s
"""
_MOVE_CLAIMS: Final = """
    UPDATE booking.claims SET held_until = %(deadline)s WHERE slot = %(slot)s AND booking_id = %(booking_id)s
"""
_END_HOLD: Final = "DELETE FROM booking.holds WHERE user_id = %(user_id)s AND booking_id = %(booking_id)s"
_PUT_PAYMENT: Final = """
    INSERT INTO booking.payments (slot, booking_id, payment_id, status, recorded_at, amount, currency, taken_at,
        refund_reason, refund_status, refund_requested_at, refund_answered_at)
    VALUES (%(slot)s, %(booking_id)s, %(payment_id)s, %(status)s, %(recorded_at)s, %(amount)s, %(currency)s,
        %(taken_at)s, %(refund_reason)s, %(refund_status)s, %(refund_requested_at)s, %(refund_answered_at)s)
    ON CONFLICT (slot, booking_id, payment_id) DO UPDATE SET status = EXCLUDED.status, amount = EXCLUDED.amount,
        currency = EXCLUDED.currency, taken_at = EXCLUDED.taken_at, refund_reason = EXCLUDED.refund_reason,
        refund_status = EXCLUDED.refund_status, refund_requested_at = EXCLUDED.refund_requested_at,
        refund_answered_at = EXCLUDED.refund_answered_at
"""
_PUT_HISTORY: Final = """
    INSERT INTO booking.history (slot, booking_id, number, at, trigger, from_status, to_status, actor, actor_id,
        correlation_id, payment_id, note)
    VALUES (%(slot)s, %(booking_id)s, %(number)s, %(at)s, %(trigger)s, %(from_status)s, %(to_status)s, %(actor)s,
        %(actor_id)s, %(correlation_id)s, %(payment_id)s, %(note)s)
"""
_PUT_EVENT: Final = """
    INSERT INTO booking.outbox (slot, key, sequence, message_id, event_type, correlation_id, recorded_at, body)
    VALUES (%(slot)s, %(key)s, %(sequence)s, %(message_id)s, %(event_type)s, %(correlation_id)s, %(recorded_at)s,
        %(body)s)
"""
_COUNT_AFFECTED: Final = """
    UPDATE booking.events SET affected_bookings = affected_bookings + %(count)s
    WHERE slot = %(slot)s AND event_id = %(event_id)s
"""


def booking_of(row: Row) -> Booking:
    """Build the booking of a row that starts with BOOKING_COLUMNS."""
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
        seats=in_reading_order(map(_seat_of, row[18] or ())),
        payments={each[0]: _payment_of(each) for each in row[19] or ()},
    )


def history_of(row: Row) -> HistoryEntry:
    """Build the entry of a row of `history` without slot and booking id."""
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


def changed_booking(booking: Booking) -> list[Statement]:
    """The statements that save this booking; its claims and its hold follow its status."""
    if not booking.new_history:
        return []
    key = {"slot": slot_of_booking(booking.booking_id), "booking_id": booking.booking_id}
    values: dict[str, Any] = {
        **key,
        "user_id": booking.user_id,
        "status": booking.status.value,
        "deadline": booking.deadline,
        "processing_started_at": booking.processing_started_at,
        "confirmed_at": booking.confirmed_at,
        "ticket_reference": booking.ticket_reference,
        "confirmed_by": booking.confirmed_by,
        "cancelled_at": booking.cancelled_at,
        "cancellation_reason": booking.cancellation_reason.value if booking.cancellation_reason else None,
        "revision": booking.revision,
        "sequence": booking.sequence,
        "loaded_revision": booking.loaded_revision,
    }
    statements = [Statement(_UPDATE, values, "update booking")]
    if any(entry.from_status is not entry.to_status for entry in booking.new_history):
        statements.append(Statement(_MOVE_CLAIMS if booking.is_live else _END_CLAIMS, values, "claims"))
        if booking.status is not Status.PENDING:
            statements.append(Statement(_END_HOLD, values, "end hold"))
    statements += [
        Statement(_PUT_PAYMENT, {**key, **_payment_values(payment)}, "payment") for payment in booking.payments.values()
    ]
    statements += [_history_row(entry, key) for entry in booking.new_history]
    return statements + outbox_rows(booking.new_events)


def outbox_rows(events: Iterable[DomainEvent]) -> list[Statement]:
    """The statements that store these events in the outbox."""
    return [
        Statement(
            _PUT_EVENT,
            {
                "slot": slot_of(event),
                "key": key_of(event),
                "sequence": event.sequence,
                "message_id": event.message_id,
                "event_type": event_type_of(event),
                "correlation_id": event.correlation_id,
                "recorded_at": event.timestamp,
                "body": encode(event),
            },
            "event",
        )
        for event in events
    ]


def affected_counts(bookings: Sequence[Booking]) -> list[Statement]:
    """The statements that count, on each closed event, the bookings that ended because of it."""
    ended = [
        booking
        for booking in bookings
        if booking.cancellation_reason is CancellationReason.EVENT_CANCELLED
        and any(entry.trigger is Trigger.EVENT_CANCELLED for entry in booking.new_history)
    ]
    counts: dict[tuple[int, Any], int] = {}
    for booking in ended:
        key = (slot_of_booking(booking.booking_id), booking.event_id)
        counts[key] = counts.get(key, 0) + 1
    return [
        Statement(_COUNT_AFFECTED, {"slot": slot, "event_id": event_id, "count": count}, "count affected")
        for (slot, event_id), count in sorted(counts.items())
    ]


def _history_row(entry: HistoryEntry, key: dict[str, Any]) -> Statement:
    return Statement(
        _PUT_HISTORY,
        {
            **key,
            "number": entry.number,
            "at": entry.at,
            "trigger": entry.trigger.value,
            "from_status": entry.from_status.value if entry.from_status else None,
            "to_status": entry.to_status.value,
            "actor": entry.actor.value,
            "actor_id": entry.actor_id,
            "correlation_id": entry.correlation_id,
            "payment_id": entry.payment_id,
            "note": entry.note,
        },
        "history",
    )


def _payment_values(payment: Payment) -> dict[str, Any]:
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
