"""The first round trip of a reservation looks into the index for each wanted seat (ADR 0002, ADR 0033).

Arguments, results, locks and their order are those of `lock_and_load_1`, which stays for the release before. Before
version 17, PostgreSQL can return rows in the order of an index only if it does not look up the elements of an array
one by one. So for `seat_id = ANY (...) ORDER BY seat_id` a plan that was made while the tables were empty read all
seats of the event, and the same for claims and bookings.
"""

from alembic import op

revision = "0007"
down_revision = "0006"

# Planned once per connection: the planner takes an array parameter for long and would plan each call anew, which costs
# five times what the statements do. LATERAL with OFFSET 0 or FOR UPDATE keeps the planner from joining in another way
# than by one look into the index for each element, in the order of the elements.
# Each statement of a volatile function sees what was committed before that statement began: so what is read after a
# lock is as it is under the lock. One order of locks: user, bookings sorted by id, seats sorted by id. Each statement
# is for one side of the schema, for a distributed store (ADR 0006).
_FUNCTION = """
CREATE FUNCTION booking.lock_and_load_2(
    p_slot smallint, p_event_id uuid, p_seat_ids uuid[], p_user_id text, p_bounds text[],
    OUT now timestamptz, OUT name text, OUT starts_at timestamptz, OUT sale_status text, OUT currency text,
    OUT ages boolean, OUT refreshed_at timestamptz, OUT closed boolean, OUT pending bigint,
    OUT known uuid[], OUT row_names text[], OUT numbers integer[], OUT prices numeric[],
    OUT taken uuid[], OUT overdue uuid[], OUT settled boolean
) LANGUAGE plpgsql VOLATILE SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    set_to text;
    claimed boolean;
    holders uuid[];
BEGIN
    IF p_bounds IS NOT NULL THEN
        set_to := set_config('lock_timeout', p_bounds[1], true) || set_config('statement_timeout', p_bounds[2], true)
            || set_config('idle_in_transaction_session_timeout', p_bounds[3], true);
    END IF;

    -- A seat that is taken is refused without locking anything, so nobody waits for it.
    SELECT count(*) > 0,
        count(*) FILTER (WHERE c.held_until IS NULL OR c.held_until > clock_timestamp()) = 0
    INTO claimed, settled
    FROM unnest(p_seat_ids) w(seat_id), LATERAL (
        SELECT c.held_until FROM booking.claims c
        WHERE c.slot = p_slot AND c.event_id = p_event_id AND c.seat_id = w.seat_id AND c.ended_at IS NULL
        OFFSET 0) c;

    IF settled THEN
        -- Writing the user's row as it is locks it, and makes it where there is none.
        INSERT INTO booking.customers AS u (user_id) VALUES (p_user_id)
        ON CONFLICT (user_id) DO UPDATE SET user_id = EXCLUDED.user_id;

        -- Overdue holders: found without locks, locked in order; whether they still hold the seats is read below.
        IF claimed THEN
            SELECT array_agg(b.booking_id) INTO holders FROM (
                SELECT c.booking_id FROM unnest(p_seat_ids) w(seat_id), LATERAL (
                    SELECT c.booking_id FROM booking.claims c
                    WHERE c.slot = p_slot AND c.event_id = p_event_id AND c.seat_id = w.seat_id
                      AND c.ended_at IS NULL AND c.held_until <= clock_timestamp()
                    OFFSET 0) c
                GROUP BY c.booking_id ORDER BY c.booking_id) h,
                LATERAL (SELECT b.booking_id FROM booking.bookings b
                    WHERE b.slot = p_slot AND b.booking_id = h.booking_id FOR UPDATE) b;
        END IF;

        SELECT array_agg(l.seat_id), array_agg(l.row_name), array_agg(l.number), array_agg(l.price)
        INTO known, row_names, numbers, prices FROM (
            SELECT w.seat_id FROM unnest(p_seat_ids) w(seat_id) GROUP BY w.seat_id ORDER BY w.seat_id) w,
            LATERAL (SELECT s.seat_id, s.row_name, s.number, s.price FROM booking.seats s
                WHERE s.slot = p_slot AND s.event_id = p_event_id AND s.seat_id = w.seat_id AND NOT s.withdrawn
                FOR UPDATE) l;
    ELSE
        SELECT array_agg(s.seat_id) INTO known FROM unnest(p_seat_ids) w(seat_id), LATERAL (
            SELECT s.seat_id FROM booking.seats s
            WHERE s.slot = p_slot AND s.event_id = p_event_id AND s.seat_id = w.seat_id AND NOT s.withdrawn
            OFFSET 0) s;
    END IF;

    -- Every lock is held: the clock and the facts.
    now := clock_timestamp();
    SELECT e.name, e.starts_at, e.sale_status, e.currency, e.ages, e.refreshed_at, e.closed_at IS NOT NULL
    INTO name, starts_at, sale_status, currency, ages, refreshed_at, closed
    FROM booking.events e WHERE e.slot = p_slot AND e.event_id = p_event_id;

    SELECT count(*) INTO pending FROM booking.holds h
    WHERE h.user_id = p_user_id AND h.deadline > lock_and_load_2.now;

    SELECT array_agg(c.seat_id) FILTER (WHERE c.held_until IS NULL OR c.held_until > lock_and_load_2.now),
        array_agg(DISTINCT c.booking_id) FILTER (WHERE c.held_until <= lock_and_load_2.now)
    INTO taken, overdue
    FROM unnest(p_seat_ids) w(seat_id), LATERAL (
        SELECT c.seat_id, c.booking_id, c.held_until FROM booking.claims c
        WHERE c.slot = p_slot AND c.event_id = p_event_id AND c.seat_id = w.seat_id AND c.ended_at IS NULL
        OFFSET 0) c;

    settled := settled AND coalesce(overdue <@ holders, overdue IS NULL);
END
$$
"""


def upgrade() -> None:
    op.execute(_FUNCTION)


def downgrade() -> None:
    op.execute("DROP FUNCTION booking.lock_and_load_2")
