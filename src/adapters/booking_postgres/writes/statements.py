"""What a changed booking writes, as statements for one batch."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from booking_core.domain.booking import Booking
from booking_core.domain.events import DomainEvent
from booking_core.domain.history import HistoryEntry
from booking_core.domain.identity import slot_of_booking
from booking_core.domain.lifecycle import Status, Trigger
from booking_core.domain.values import CancellationReason
from booking_core.messages.envelopes import encode, event_type_of, key_of, slot_of
from booking_postgres.driver.pipeline import Statement
from booking_postgres.rows import payment_values

_UPDATE: Final = """
    UPDATE booking.bookings SET status = %(status)s, deadline = %(deadline)s,
        processing_started_at = %(processing_started_at)s, confirmed_at = %(confirmed_at)s,
        ticket_reference = %(ticket_reference)s, confirmed_by = %(confirmed_by)s, cancelled_at = %(cancelled_at)s,
        cancellation_reason = %(cancellation_reason)s, revision = %(revision)s, sequence = %(sequence)s
    WHERE slot = %(slot)s AND booking_id = %(booking_id)s AND revision = %(loaded_revision)s
"""
_END_CLAIMS: Final = """
    UPDATE booking.claims SET ended_at = %(cancelled_at)s
    WHERE slot = %(slot)s AND booking_id = %(booking_id)s AND ended_at IS NULL
"""
_MOVE_CLAIMS: Final = """
    UPDATE booking.claims SET held_until = %(deadline)s
    WHERE slot = %(slot)s AND booking_id = %(booking_id)s AND ended_at IS NULL
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


def of_changed_booking(booking: Booking) -> list[Statement]:
    """All that saving this booking writes; its claims and its hold follow its status."""
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
        Statement(_PUT_PAYMENT, {**key, **payment_values(payment)}, "payment") for payment in booking.payments.values()
    ]
    statements += [_of_entry(entry, key) for entry in booking.new_history]
    return statements + of_events(booking.new_events)


def of_events(events: Iterable[DomainEvent]) -> list[Statement]:
    """The outbox rows of these events."""
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


def of_affected_events(bookings: Sequence[Booking]) -> list[Statement]:
    """Counts, on the closed event, the bookings that this unit of work ended for it."""
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


def _of_entry(entry: HistoryEntry, key: dict[str, Any]) -> Statement:
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
