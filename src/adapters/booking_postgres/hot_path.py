"""The statements of a reservation, in one small room so that their form can change here alone (ADR 0002).

Two round trips. The first locks and loads: idempotency key, user, overdue holders of the wanted seats, seats, each in
a statement of its own in this order, and last the facts, in a statement that began after the last wait was over. The
domain decides. The second writes everything and commits.

If a wanted seat has a live claim that is committed, nothing is locked and nobody waits: the answer is known. Locks
that were skipped for a claim that was gone a moment later show up as such, and the whole is run again.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final
from uuid import UUID

from attrs import frozen

from booking_core.booking import Booking
from booking_core.identity import slot_of_booking, slot_of_event
from booking_core.reservation import SeatRequest
from booking_core.wire import to_json
from booking_postgres.batch import Row, Rows, Statement

CLAIM_KEY: Final = "claim idempotency key"

_LIVE: Final = """
    slot = %(slot)s AND event_id = %(event_id)s AND seat_id = ANY(%(seat_ids)s) AND ended_at IS NULL
"""
_NONE_TAKEN: Final = f"""
    NOT EXISTS (SELECT 1 FROM booking.claims
                WHERE {_LIVE} AND (held_until IS NULL OR held_until > clock_timestamp()))
"""  # noqa: S608

_CLAIM_KEY: Final = """
    INSERT INTO booking.idempotency_keys (user_id, operation, key, fingerprint, created_at)
    VALUES (%(user_id)s, %(operation)s, %(key)s, %(fingerprint)s, clock_timestamp())
    ON CONFLICT (user_id, operation, key) DO NOTHING RETURNING true
"""
_READ_KEY: Final = """
    SELECT fingerprint, answer, created_at, clock_timestamp() FROM booking.idempotency_keys
    WHERE user_id = %(user_id)s AND operation = %(operation)s AND key = %(key)s
"""

# Writing the row as it is locks it, and makes it where there is none, in one statement.
_LOCK_USER: Final = f"""
    INSERT INTO booking.customers (user_id) SELECT %(user_id)s WHERE {_NONE_TAKEN}
    ON CONFLICT (user_id) DO UPDATE SET user_id = EXCLUDED.user_id RETURNING true
"""

# Found by a read without locks, locked in order; whether they still hold the seats is seen in the facts.
_LOCK_OVERDUE: Final = f"""
    SELECT booking_id FROM booking.bookings
    WHERE slot = %(slot)s AND {_NONE_TAKEN} AND booking_id IN (
        SELECT booking_id FROM booking.claims WHERE {_LIVE} AND held_until <= clock_timestamp())
    ORDER BY booking_id FOR UPDATE
"""  # noqa: S608

_LOCK_SEATS: Final = f"""
    SELECT seat_id, row_name, number, price FROM booking.seats
    WHERE slot = %(slot)s AND event_id = %(event_id)s AND seat_id = ANY(%(seat_ids)s) AND NOT withdrawn
      AND {_NONE_TAKEN}
    ORDER BY seat_id FOR UPDATE
"""  # noqa: S608

# The clock is read once, in the statement after the last lock: never before a wait was over.
_FACTS: Final = f"""
    WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS now)
    SELECT now, e.name, e.starts_at, e.sale_status, e.currency, e.ages, e.refreshed_at, e.closed_at IS NOT NULL,
        (SELECT count(*) FROM booking.holds WHERE user_id = %(user_id)s AND deadline > now),
        (SELECT array_agg(seat_id) FROM booking.seats
         WHERE slot = %(slot)s AND event_id = %(event_id)s AND seat_id = ANY(%(seat_ids)s) AND NOT withdrawn),
        (SELECT array_agg(seat_id) FROM booking.claims WHERE {_LIVE} AND (held_until IS NULL OR held_until > now)),
        (SELECT array_agg(DISTINCT booking_id) FROM booking.claims WHERE {_LIVE} AND held_until <= now)
    FROM clock LEFT JOIN booking.events e ON e.slot = %(slot)s AND e.event_id = %(event_id)s
"""  # noqa: S608

LIVE_CLAIMS: Final = f"SELECT seat_id FROM booking.claims WHERE {_LIVE}"  # noqa: S608


@frozen(kw_only=True)
class LockAndLoad:
    """What the first round trip brought back, still as rows."""

    key_is_ours: bool
    earlier: Row | None
    user_locked: bool
    overdue_locked: frozenset[UUID]
    seats: Rows
    now: datetime
    event: Row
    pending: int
    known: frozenset[UUID]
    taken: frozenset[UUID]
    overdue: frozenset[UUID]

    @property
    def is_settled(self) -> bool:
        """The locks fit the facts: all that a granted reservation rests on was locked before it was read."""
        return self.user_locked and self.overdue <= self.overdue_locked and {row[0] for row in self.seats} == self.known


def lock_and_load(request: SeatRequest) -> list[Statement]:
    """The statements of the first round trip."""
    values: dict[str, Any] = {
        "slot": slot_of_event(request.event_id),
        "event_id": request.event_id,
        "seat_ids": list(request.seat_ids),
        "user_id": request.user_id,
    }
    statements = [
        Statement(_LOCK_USER, values, "lock user"),
        Statement(_LOCK_OVERDUE, values, "lock overdue bookings"),
        Statement(_LOCK_SEATS, values, "lock seats"),
        Statement(_FACTS, values, "facts"),
    ]
    if request.idempotency is None:
        return statements
    return [*claim_key(request.idempotency), *statements]


def loaded(request: SeatRequest, results: Sequence[Rows]) -> LockAndLoad:
    """What `lock_and_load` brought back."""
    key_rows = results[:-4]
    user, overdue_locked, seats, facts = results[-4:]
    fact = facts[0]
    return LockAndLoad(
        key_is_ours=bool(key_rows and key_rows[0]),
        earlier=key_rows[1][0] if key_rows and not key_rows[0] and key_rows[1] else None,
        user_locked=bool(user),
        overdue_locked=frozenset(row[0] for row in overdue_locked),
        seats=seats,
        now=fact[0],
        event=fact[1:8],
        pending=fact[8],
        known=frozenset(fact[9] or ()),
        taken=frozenset(fact[10] or ()),
        overdue=frozenset(fact[11] or ()),
    )


def claim_key(key: Any) -> list[Statement]:
    """Two statements: take the key, and read what stands under it."""
    values = {"user_id": key.user_id, "operation": key.operation, "key": key.key, "fingerprint": key.fingerprint}
    return [Statement(_CLAIM_KEY, values, CLAIM_KEY), Statement(_READ_KEY, values, CLAIM_KEY)]


def insert_booking(booking: Booking) -> Statement:
    """One statement that writes a new booking with its hold, history, events and claims.

    The claims are the outermost part and are given as VALUES, so that a claim that exists shows as 23505 everywhere.
    """
    entry, event = booking.new_history[0], booking.new_events[0]
    values: dict[str, Any] = {
        "slot": slot_of_booking(booking.booking_id),
        "booking_id": booking.booking_id,
        "event_id": booking.event_id,
        "user_id": booking.user_id,
        "total": booking.total.amount,
        "currency": booking.total.currency,
        "created_at": booking.created_at,
        "expires_at": booking.expires_at,
        "correlation_id": booking.correlation_id,
        "actor": entry.actor.value,
        "actor_id": entry.actor_id,
        "message_id": event.message_id,
        "body": to_json(event.envelope()),
    }
    for index, seat in enumerate(booking.seats):
        values[f"seat_{index}"] = seat.seat_id
        values[f"row_{index}"] = seat.row
        values[f"number_{index}"] = seat.number
        values[f"price_{index}"] = seat.price
    return Statement(_insert_sql(len(booking.seats)), values, "insert booking")


@cache
def _insert_sql(seats: int) -> str:
    claims = ",\n".join(
        f"(%(slot)s, %(event_id)s, %(seat_{i})s, %(booking_id)s, %(row_{i})s, %(number_{i})s, %(price_{i})s,"
        " %(expires_at)s)"
        for i in range(seats)
    )
    return f"""
    WITH new_booking AS (
        INSERT INTO booking.bookings (slot, booking_id, event_id, user_id, status, total, currency, created_at,
                                      expires_at, deadline, correlation_id, revision, sequence)
        VALUES (%(slot)s, %(booking_id)s, %(event_id)s, %(user_id)s, 'PENDING', %(total)s, %(currency)s,
                %(created_at)s, %(expires_at)s, %(expires_at)s, %(correlation_id)s, 1, 1)
    ), new_hold AS (
        INSERT INTO booking.holds (user_id, booking_id, deadline)
        VALUES (%(user_id)s, %(booking_id)s, %(expires_at)s)
    ), new_history AS (
        INSERT INTO booking.history (slot, booking_id, number, at, trigger, to_status, actor, actor_id,
                                     correlation_id, note)
        VALUES (%(slot)s, %(booking_id)s, 1, %(created_at)s, 'RESERVE', 'PENDING', %(actor)s, %(actor_id)s,
                %(correlation_id)s, '')
    ), new_event AS (
        INSERT INTO booking.outbox (slot, key, sequence, message_id, event_type, correlation_id, recorded_at, body)
        VALUES (%(slot)s, %(booking_id)s, 1, %(message_id)s, 'booking.created', %(correlation_id)s, %(created_at)s,
                %(body)s)
    )
    INSERT INTO booking.claims (slot, event_id, seat_id, booking_id, row_name, number, price, held_until)
    VALUES {claims}
    """  # noqa: S608
