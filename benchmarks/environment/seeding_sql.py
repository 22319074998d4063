"""The statements that book many seats at once; `seeding` says with which values."""

from typing import Final, LiteralString

# A UUIDv7 whose `rand_a` carries the slot of the event, as `booking_core.domain.identity.new_booking_id` makes it.
_BOOKING_ID: Final = """
    format('%%s-%%s-7%%s-%%s', left(ms, 8), right(ms, 4), lpad(to_hex(slot::integer), 3, '0'),
           substr(gen_random_uuid()::text, 20))::uuid
"""

PLAN: Final[tuple[LiteralString, ...]] = (
    """
    CREATE TEMPORARY TABLE pairs ON COMMIT DROP AS
    SELECT slot, event_id, number / 2 AS pair, sum(price) AS total, json_agg(seat_id ORDER BY seat_id) AS seat_ids,
           row_number() OVER (ORDER BY event_id, number / 2) AS n
    FROM booking.seats WHERE event_id = ANY (%(events)s) GROUP BY slot, event_id, number / 2
    """,
    f"""
    CREATE TEMPORARY TABLE seeded ON COMMIT DROP AS
    SELECT *, %(users)s || '-' || (n - 1) / %(of_each_user)s + 1 AS user_id, {_BOOKING_ID} AS booking_id,
           gen_random_uuid()::text AS correlation_id
    FROM (
        SELECT *, %(created)s::timestamptz + n * interval '1 microsecond' AS created_at,
               %(expires)s::timestamptz + n * interval '1 microsecond' AS expires_at,
               lpad(to_hex((extract(epoch FROM %(created)s::timestamptz) * 1000)::bigint), 12, '0') AS ms
        FROM pairs) timed
    """,
)

_HEAD: Final = """'eventId', message_id, 'eventType', event_type, 'timestamp', to_json(created_at), 'version', '1.0',
        'correlationId', correlation_id"""

BOOKINGS: Final[tuple[LiteralString, ...]] = (
    """
    INSERT INTO booking.bookings (slot, booking_id, event_id, user_id, status, total, currency, created_at, expires_at,
        deadline, correlation_id, confirmed_at, ticket_reference, confirmed_by, revision, sequence)
    SELECT slot, booking_id, event_id, user_id, %(status)s::text, total, 'USD', created_at, expires_at,
           CASE %(status)s::text WHEN 'PENDING' THEN expires_at END, correlation_id,
           CASE %(status)s::text WHEN 'CONFIRMED' THEN created_at END,
           CASE %(status)s::text WHEN 'CONFIRMED' THEN upper(left(md5(booking_id::text), 28)) END,
           CASE %(status)s::text WHEN 'CONFIRMED' THEN 'pay-' || booking_id END,
           CASE %(status)s::text WHEN 'CONFIRMED' THEN 2 ELSE 1 END,
           CASE %(status)s::text WHEN 'CONFIRMED' THEN 2 ELSE 1 END
    FROM seeded
    """,
    """
    INSERT INTO booking.claims (slot, event_id, seat_id, booking_id, row_name, number, price, held_until)
    SELECT b.slot, b.event_id, s.seat_id, b.booking_id, s.row_name, s.number, s.price,
           CASE %(status)s::text WHEN 'PENDING' THEN b.expires_at END
    FROM seeded b JOIN booking.seats s ON s.slot = b.slot AND s.event_id = b.event_id AND s.number / 2 = b.pair
    """,
    "INSERT INTO booking.customers (user_id) SELECT DISTINCT user_id FROM seeded ON CONFLICT DO NOTHING",
    """
    INSERT INTO booking.holds (user_id, booking_id, deadline)
    SELECT user_id, booking_id, expires_at FROM seeded WHERE %(status)s::text = 'PENDING'
    """,
    """
    INSERT INTO booking.payments (slot, booking_id, payment_id, status, recorded_at, amount, currency, taken_at)
    SELECT slot, booking_id, 'pay-' || booking_id, 'TAKEN', created_at, total, 'USD', created_at
    FROM seeded WHERE %(status)s::text = 'CONFIRMED'
    """,
    """
    INSERT INTO booking.history (slot, booking_id, number, at, trigger, from_status, to_status, actor, actor_id,
        correlation_id, payment_id, note)
    SELECT slot, booking_id, 1, created_at, 'RESERVE', NULL, 'PENDING', 'CUSTOMER', user_id, correlation_id, NULL, ''
    FROM seeded
    UNION ALL
    SELECT slot, booking_id, 2, created_at, 'PAYMENT_SUCCESS', 'PENDING', 'CONFIRMED', 'PAYMENT_EVENT', 'pay',
           correlation_id, 'pay-' || booking_id, ''
    FROM seeded WHERE %(status)s::text = 'CONFIRMED'
    """,
    f"""
    INSERT INTO booking.outbox (slot, key, sequence, message_id, event_type, correlation_id, recorded_at, body,
        published_at)
    SELECT slot, booking_id, 1, message_id, event_type, correlation_id, created_at, json_build_object({_HEAD},
        'payload', json_build_object('bookingId', booking_id, 'userId', user_id, 'eventId', event_id,
            'seatIds', seat_ids, 'totalAmount', total, 'currency', 'USD', 'expiresAt', to_json(expires_at))),
        %(published)s::timestamptz
    FROM (SELECT *, gen_random_uuid() AS message_id, 'booking.created' AS event_type FROM seeded) news
    """,
    f"""
    INSERT INTO booking.outbox (slot, key, sequence, message_id, event_type, correlation_id, recorded_at, body,
        published_at)
    SELECT slot, booking_id, 2, message_id, event_type, correlation_id, created_at, json_build_object({_HEAD},
        'payload', json_build_object('bookingId', booking_id, 'userId', user_id,
            'ticketReference', upper(left(md5(booking_id::text), 28)), 'confirmedAt', to_json(created_at))),
        %(published)s::timestamptz
    FROM (SELECT *, gen_random_uuid() AS message_id, 'booking.confirmed' AS event_type FROM seeded) news
    WHERE %(status)s::text = 'CONFIRMED'
    """,
)
