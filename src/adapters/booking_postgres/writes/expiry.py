"""Expiry in sets (US-04): one statement does to many holds what `Booking.expire` does to one.

The contract suite checks that the two are equal. Overdue holds are locked, oldest deadline first, unless another
transaction has locked them; expiry never waits.
"""

from datetime import datetime
from typing import Final

from booking_core.domain.values import DIGITS_IN_KEY
from booking_postgres.driver.pipeline import Statement

# jsonb would reorder the keys and drop decimals; json keeps the envelope as the domain writes it.
_BODY: Final = """
    json_build_object('eventId', n.message_id, 'eventType', n.event_type, 'timestamp', %(stamp)s::text,
        'version', '1.0', 'correlationId', n.correlation_id, 'payload', json_build_object(
            'bookingId', n.booking_id, 'userId', n.user_id, 'reason', 'EXPIRED', 'releasedSeatIds', n.seat_ids))::text
"""

# `booking_core.domain.seat_order.row_key` of `row_name`; in the collation C, upper() changes ASCII letters only.
_PADDED: Final = f"""regexp_replace(upper(row_name COLLATE "C"), '[0-9]+', '{"0" * DIGITS_IN_KEY}\\&', 'g')"""
ROW_KEY: Final = f"""regexp_replace({_PADDED}, '0*([0-9]{{{DIGITS_IN_KEY},}})', '\\1', 'g') COLLATE "C" """

# Every claim of a live booking is live. A condition that says so could make the plan read all live claims of a slot.
_EXPIRE: Final = f"""
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
        FROM due d WHERE c.slot = d.slot AND c.booking_id = d.booking_id
        RETURNING d.slot, d.booking_id, d.user_id, d.correlation_id, d.sequence, c.seat_id, c.row_name, c.number
    ), ended_holds AS (
        DELETE FROM booking.holds h USING due d WHERE h.user_id = d.user_id AND h.booking_id = d.booking_id
    ), new_history AS (
        INSERT INTO booking.history (slot, booking_id, number, at, trigger, from_status, to_status, actor, actor_id,
            correlation_id, note)
        SELECT slot, booking_id, revision + 1, %(now)s, 'TIME', status, 'CANCELLED', 'SWEEPER', 'expiry',
            correlation_id, '' FROM due
    ), new_events AS (
        SELECT r.*, gen_random_uuid() AS message_id, r.sequence + t.step AS number, t.event_type
        FROM (SELECT slot, booking_id, user_id, correlation_id, sequence,
                  json_agg(seat_id ORDER BY {ROW_KEY}, row_name COLLATE "C", number, seat_id) AS seat_ids
              FROM released GROUP BY slot, booking_id, user_id, correlation_id, sequence) r
        CROSS JOIN (VALUES (1, 'booking.expired'), (2, 'booking.cancelled')) AS t (step, event_type)
    ), stored AS (
        INSERT INTO booking.outbox (slot, key, sequence, message_id, event_type, correlation_id, recorded_at, body)
        SELECT n.slot, n.booking_id, n.number, n.message_id, n.event_type, n.correlation_id, %(now)s, {_BODY}
        FROM new_events n
    )
    SELECT (SELECT count(*) FROM due), (SELECT count(*) FROM released)
"""  # noqa: S608


def expiry_statement(now: datetime, limit: int, stamp: str) -> Statement:
    """Return the statement that expires holds at `now`, the database's clock; `stamp` is `now` as events write it."""
    return Statement(_EXPIRE, {"now": now, "limit": limit, "stamp": stamp}, "expire")
