"""Expiry in sets (US-04): one statement does to many holds what `Booking.expire` does to one.

The contract suite proves the two equal. Overdue holds are found without locks, then locked where nobody else has
them, oldest deadline first; nobody waits for a sweep and a sweep waits for nobody.
"""

from datetime import datetime
from typing import Final

from booking_postgres.driver.pipeline import Statement

# jsonb would reorder the keys and drop decimals: json keeps the envelope as the domain writes it.
_BODY: Final = """
    json_build_object('eventId', n.message_id, 'eventType', n.event_type, 'timestamp', %(stamp)s::text,
        'version', '1.0', 'correlationId', n.correlation_id, 'payload', json_build_object(
            'bookingId', n.booking_id, 'userId', n.user_id, 'reason', 'EXPIRED', 'releasedSeatIds', n.seat_ids))::text
"""

_SWEEP: Final = f"""
    WITH due AS MATERIALIZED (
        SELECT slot, booking_id, user_id, status, deadline, correlation_id, revision, sequence
        FROM booking.bookings WHERE deadline <= %(now)s
        ORDER BY deadline LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    ), ended AS (
        UPDATE booking.bookings b SET status = 'CANCELLED', deadline = NULL, cancelled_at = d.deadline,
            cancellation_reason = 'EXPIRED', revision = d.revision + 1, sequence = d.sequence + 2
        FROM due d WHERE b.slot = d.slot AND b.booking_id = d.booking_id
    ), released AS (
        UPDATE booking.claims c SET ended_at = d.deadline
        FROM due d WHERE c.slot = d.slot AND c.booking_id = d.booking_id AND c.ended_at IS NULL
        RETURNING d.slot, d.booking_id, d.user_id, d.correlation_id, d.sequence, c.seat_id
    ), unheld AS (
        DELETE FROM booking.holds h USING due d WHERE h.user_id = d.user_id AND h.booking_id = d.booking_id
    ), told AS (
        INSERT INTO booking.history (slot, booking_id, number, at, trigger, from_status, to_status, actor, actor_id,
            correlation_id, note)
        SELECT slot, booking_id, revision + 1, %(now)s, 'TIME', status, 'CANCELLED', 'SWEEPER', 'expiry',
            correlation_id, '' FROM due
    ), news AS (
        SELECT r.*, gen_random_uuid() AS message_id, r.sequence + t.step AS number, t.event_type
        FROM (SELECT slot, booking_id, user_id, correlation_id, sequence, json_agg(seat_id ORDER BY seat_id) AS seat_ids
              FROM released GROUP BY slot, booking_id, user_id, correlation_id, sequence) r
        CROSS JOIN (VALUES (1, 'booking.expired'), (2, 'booking.cancelled')) AS t (step, event_type)
    ), said AS (
        INSERT INTO booking.outbox (slot, key, sequence, message_id, event_type, correlation_id, recorded_at, body)
        SELECT n.slot, n.booking_id, n.number, n.message_id, n.event_type, n.correlation_id, %(now)s, {_BODY}
        FROM news n
    )
    SELECT (SELECT count(*) FROM due), (SELECT count(*) FROM released)
"""  # noqa: S608

# How many are due is not known when the plan is made, and a guess too high reads whole tables: the cost of a sweep
# would be that of all bookings there ever were. From what is due everything is found by its key.
BY_KEYS: Final = Statement(
    "SELECT " + ", ".join(f"set_config('enable_{way}', 'off', true)" for way in ("seqscan", "hashjoin", "mergejoin")),
    {},
    "plan by keys",
)


def sweep_statement(now: datetime, limit: int, stamp: str) -> Statement:
    """The sweep at `now`, the database's clock; `stamp` is the same moment as events write it."""
    return Statement(_SWEEP, {"now": now, "limit": limit, "stamp": stamp}, "sweep")
