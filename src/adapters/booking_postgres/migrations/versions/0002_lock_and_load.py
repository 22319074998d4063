"""The first round trip of a reservation as one function: it locks and reads, and decides nothing (ADR 0002).

Called as one statement it costs the client a third of six pipelined ones. A function of that name never changes: a
later version gets a name of its own, so that during an upgrade the old code finds the old function.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

# Planned once per connection: the planner takes an array parameter for long and would plan each call anew, which costs
# five times what the statements do. A plan made while the tables were empty would read them from end to end when they
# no longer are, and a sale begins with empty tables: so never without an index.
# Each statement of a volatile function sees what was committed before that statement began: so what is read after a
# lock is as it is under the lock. One order of locks: user, bookings sorted by id, seats sorted by id.
_FUNCTION = """
CREATE FUNCTION booking.lock_and_load_1(
    p_slot smallint, p_event_id uuid, p_seat_ids uuid[], p_user_id text, p_bounds text[],
    OUT now timestamptz, OUT name text, OUT starts_at timestamptz, OUT sale_status text, OUT currency text,
    OUT ages boolean, OUT refreshed_at timestamptz, OUT closed boolean, OUT pending bigint,
    OUT known uuid[], OUT row_names text[], OUT numbers integer[], OUT prices numeric[],
    OUT taken uuid[], OUT overdue uuid[], OUT settled boolean
) LANGUAGE plpgsql VOLATILE SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    holders uuid[];
BEGIN
    IF p_bounds IS NOT NULL THEN
        PERFORM set_config('lock_timeout', p_bounds[1], true), set_config('statement_timeout', p_bounds[2], true),
            set_config('idle_in_transaction_session_timeout', p_bounds[3], true);
    END IF;

    -- A seat that is taken is refused without locking anything, so nobody waits for it.
    settled := NOT EXISTS (
        SELECT FROM booking.claims c
        WHERE c.slot = p_slot AND c.event_id = p_event_id AND c.seat_id = ANY (p_seat_ids) AND c.ended_at IS NULL
          AND (c.held_until IS NULL OR c.held_until > clock_timestamp()));

    IF settled THEN
        -- Writing the user's row as it is locks it, and makes it where there is none.
        INSERT INTO booking.customers AS u (user_id) VALUES (p_user_id)
        ON CONFLICT (user_id) DO UPDATE SET user_id = EXCLUDED.user_id;

        -- Overdue holders: found without locks, locked in order; whether they still hold the seats is read below.
        SELECT array_agg(b.booking_id) INTO holders FROM (
            SELECT h.booking_id FROM booking.bookings h
            WHERE h.slot = p_slot AND h.booking_id = ANY (ARRAY(
                SELECT c.booking_id FROM booking.claims c
                WHERE c.slot = p_slot AND c.event_id = p_event_id AND c.seat_id = ANY (p_seat_ids)
                  AND c.ended_at IS NULL AND c.held_until <= clock_timestamp()))
            ORDER BY h.booking_id FOR UPDATE) b;

        SELECT array_agg(l.seat_id), array_agg(l.row_name), array_agg(l.number), array_agg(l.price)
        INTO known, row_names, numbers, prices FROM (
            SELECT s.seat_id, s.row_name, s.number, s.price FROM booking.seats s
            WHERE s.slot = p_slot AND s.event_id = p_event_id AND s.seat_id = ANY (p_seat_ids) AND NOT s.withdrawn
            ORDER BY s.seat_id FOR UPDATE) l;
    ELSE
        SELECT array_agg(s.seat_id) INTO known FROM booking.seats s
        WHERE s.slot = p_slot AND s.event_id = p_event_id AND s.seat_id = ANY (p_seat_ids) AND NOT s.withdrawn;
    END IF;

    -- Every lock is held: the clock and the facts.
    now := clock_timestamp();
    SELECT e.name, e.starts_at, e.sale_status, e.currency, e.ages, e.refreshed_at, e.closed_at IS NOT NULL
    INTO name, starts_at, sale_status, currency, ages, refreshed_at, closed
    FROM booking.events e WHERE e.slot = p_slot AND e.event_id = p_event_id;

    SELECT count(*) INTO pending FROM booking.holds h
    WHERE h.user_id = p_user_id AND h.deadline > lock_and_load_1.now;

    SELECT array_agg(c.seat_id) FILTER (WHERE c.held_until IS NULL OR c.held_until > lock_and_load_1.now),
        array_agg(DISTINCT c.booking_id) FILTER (WHERE c.held_until <= lock_and_load_1.now)
    INTO taken, overdue
    FROM booking.claims c
    WHERE c.slot = p_slot AND c.event_id = p_event_id AND c.seat_id = ANY (p_seat_ids) AND c.ended_at IS NULL;

    settled := settled AND coalesce(overdue <@ holders, overdue IS NULL);
END
$$
"""


def upgrade() -> None:
    op.execute(_FUNCTION)


def downgrade() -> None:
    op.execute("DROP FUNCTION booking.lock_and_load_1")
