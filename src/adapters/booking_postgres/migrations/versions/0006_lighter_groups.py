"""The functions of groups in fewer statements (ADR 0028): a group of one costs little more than a single reservation.

What PostgreSQL pays for a statement, whatever it does, is most of what a small group costs: to set up the executor, and
to parse the CHECK constraints of each table. So what was five INSERTs is one statement, and so are the facts.

Arguments and results are those of migration 0004, whose functions stay for the release before.
"""

from alembic import op

revision = "0006"
down_revision = "0005"

# p_users: by member. p_members, p_in, p_seats: by wanted seat (member 1.., event 1.., seat). p_slots, p_events: by
# event. p_key_members, p_operations, p_keys: by idempotency key. Results name wanted seats, events and members by their
# number. A member that wants a seat with a live claim, overdue or not, is blocked: nothing of it is locked.
# SKIP LOCKED never waits, and what it leaves out proves nothing. Each statement sees what was committed before it
# began. A plan is made once per connection, maybe while the tables are empty. LATERAL with OFFSET 0 or FOR UPDATE keeps
# the planner from joining in another way than by one look into the index for each wanted seat: joined in one piece,
# the plan of empty tables read all live claims for each group. A setting is made by an assignment, which PostgreSQL
# evaluates without the executor that PERFORM needs.
_LOCK_AND_LOAD = """
CREATE FUNCTION booking.lock_and_load_many_2(
    p_users text[], p_members integer[], p_in integer[], p_seats uuid[], p_slots smallint[], p_events uuid[],
    p_key_members integer[], p_operations text[], p_keys text[], p_bounds text[],
    OUT now timestamptz,
    OUT e_n integer[], OUT e_name text[], OUT e_starts_at timestamptz[], OUT e_status text[], OUT e_currency text[],
    OUT e_ages boolean[], OUT e_refreshed_at timestamptz[], OUT e_closed boolean[],
    OUT users text[], OUT pending_users text[], OUT pending bigint[],
    OUT s_n integer[], OUT s_row text[], OUT s_number integer[], OUT s_price numeric[],
    OUT blocked integer[], OUT known integer[], OUT taken integer[], OUT overdue integer[],
    OUT k_members integer[], OUT k_fingerprint text[], OUT k_answer text[], OUT k_created_at timestamptz[]
) LANGUAGE plpgsql VOLATILE SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    set_to text;
    before text;
BEGIN
    IF p_bounds IS NOT NULL THEN
        set_to := set_config('lock_timeout', p_bounds[1], true) || set_config('statement_timeout', p_bounds[2], true)
            || set_config('idle_in_transaction_session_timeout', p_bounds[3], true);
    END IF;

    SELECT coalesce(array_agg(DISTINCT w.m), '{}') INTO blocked
    FROM unnest(p_members, p_in, p_seats) w(m, e, seat_id), LATERAL (
        SELECT FROM booking.claims c
        WHERE c.slot = p_slots[w.e] AND c.event_id = p_events[w.e] AND c.seat_id = w.seat_id AND c.ended_at IS NULL
        OFFSET 0) c;

    SELECT coalesce(array_agg(c.user_id), '{}') INTO users
    FROM (SELECT DISTINCT u.user_id FROM unnest(p_users) WITH ORDINALITY u(user_id, m) WHERE u.m <> ALL (blocked)) u,
        LATERAL (SELECT c.user_id FROM booking.customers c WHERE c.user_id = u.user_id FOR UPDATE SKIP LOCKED) c;

    -- ON CONFLICT DO NOTHING waits for a transaction that inserts or has updated the row, so it is used only for users
    -- that have no committed row. The block undoes the timeout with the insert if the wait is too long. It is entered
    -- for users that are locked, blocked or named twice, too, and then inserts nothing.
    IF cardinality(users) < cardinality(p_users) THEN
        BEGIN
            before := current_setting('lock_timeout');
            set_to := set_config('lock_timeout', '20ms', true);
            WITH made AS (
                INSERT INTO booking.customers (user_id)
                SELECT DISTINCT u.user_id FROM unnest(p_users) WITH ORDINALITY u(user_id, m)
                WHERE u.m <> ALL (blocked) AND u.user_id <> ALL (users)
                  AND (SELECT count(*) FROM booking.customers c WHERE c.user_id = u.user_id) = 0
                ORDER BY u.user_id
                ON CONFLICT (user_id) DO NOTHING RETURNING user_id)
            SELECT users || coalesce(array_agg(user_id), '{}') INTO users FROM made;
            set_to := set_config('lock_timeout', before, true);
        EXCEPTION WHEN lock_not_available THEN
            NULL;
        END;
    END IF;

    SELECT array_agg(l.n), array_agg(l.row_name), array_agg(l.number), array_agg(l.price)
    INTO s_n, s_row, s_number, s_price FROM (
        SELECT w.n, s.row_name, s.number, s.price
        FROM unnest(p_members, p_in, p_seats) WITH ORDINALITY w(m, e, seat_id, n), LATERAL (
            SELECT s.row_name, s.number, s.price FROM booking.seats s
            WHERE s.slot = p_slots[w.e] AND s.event_id = p_events[w.e] AND s.seat_id = w.seat_id AND NOT s.withdrawn
            FOR UPDATE SKIP LOCKED) s
        WHERE w.m <> ALL (blocked) AND p_users[w.m] = ANY (users)) l;
    IF cardinality(blocked) > 0 THEN
        SELECT array_agg(w.n) INTO known
        FROM unnest(p_members, p_in, p_seats) WITH ORDINALITY w(m, e, seat_id, n), LATERAL (
            SELECT FROM booking.seats s
            WHERE s.slot = p_slots[w.e] AND s.event_id = p_events[w.e] AND s.seat_id = w.seat_id AND NOT s.withdrawn
            OFFSET 0) s
        WHERE w.m = ANY (blocked);
    END IF;

    -- Every lock is held or was skipped: the clock and the facts, which are all of one moment. So who finds a seat
    -- taken by the first request with the same key finds its response, too.
    now := clock_timestamp();
    SELECT e.*, h.*, c.*, k.*
    INTO e_n, e_name, e_starts_at, e_status, e_currency, e_ages, e_refreshed_at, e_closed, pending_users, pending,
        taken, overdue, k_members, k_fingerprint, k_answer, k_created_at
    FROM (
        SELECT array_agg(w.n), array_agg(e.name), array_agg(e.starts_at), array_agg(e.sale_status),
            array_agg(e.currency), array_agg(e.ages), array_agg(e.refreshed_at), array_agg(e.closed_at IS NOT NULL)
        FROM unnest(p_slots, p_events) WITH ORDINALITY w(slot, event_id, n), LATERAL (
            SELECT * FROM booking.events e WHERE e.slot = w.slot AND e.event_id = w.event_id OFFSET 0) e
    ) e, (
        SELECT array_agg(u.user_id), array_agg(h.number)
        FROM (SELECT DISTINCT unnest(p_users) AS user_id) u, LATERAL (
            SELECT count(*) AS number FROM booking.holds h
            WHERE h.user_id = u.user_id AND h.deadline > lock_and_load_many_2.now OFFSET 0) h
    ) h, (
        SELECT array_agg(w.n) FILTER (WHERE c.held_until IS NULL OR c.held_until > lock_and_load_many_2.now),
            array_agg(w.n) FILTER (WHERE c.held_until <= lock_and_load_many_2.now)
        FROM unnest(p_in, p_seats) WITH ORDINALITY w(e, seat_id, n), LATERAL (
            SELECT c.held_until FROM booking.claims c
            WHERE c.slot = p_slots[w.e] AND c.event_id = p_events[w.e] AND c.seat_id = w.seat_id AND c.ended_at IS NULL
            OFFSET 0) c
    ) c, (
        SELECT array_agg(w.m), array_agg(k.fingerprint), array_agg(k.answer), array_agg(k.created_at)
        FROM unnest(p_key_members, p_operations, p_keys) w(m, operation, key), LATERAL (
            SELECT * FROM booking.idempotency_keys k
            WHERE k.user_id = p_users[w.m] AND k.operation = w.operation AND k.key = w.key OFFSET 0) k
    ) k;
END
$$
"""

# By booking, then by claim (c_n: its booking), then by idempotency key (k_n: its booking). Without a trace of its own a
# booking's event has that of the transaction, as the column's default says. A key is overwritten only if it is too old.
_WRITE = """
CREATE FUNCTION booking.write_many_2(
    p_slot smallint[], p_booking uuid[], p_event uuid[], p_user text[], p_total numeric[], p_currency text[],
    p_created timestamptz[], p_expires timestamptz[], p_correlation text[], p_actor text[], p_actor_id text[],
    p_message uuid[], p_body text[], p_trace text[],
    c_n integer[], c_seat uuid[], c_row text[], c_number integer[], c_price numeric[],
    k_n integer[], k_operation text[], k_key text[], k_fingerprint text[], k_answer text[],
    p_key_seconds double precision
) RETURNS void LANGUAGE plpgsql VOLATILE SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
SET lock_timeout = '20ms' AS $$
DECLARE
    kept bigint;
BEGIN
    WITH new AS MATERIALIZED (
        SELECT * FROM unnest(p_slot, p_booking, p_event, p_user, p_total, p_currency, p_created, p_expires,
            p_correlation, p_actor, p_actor_id, p_message, p_body, p_trace)
            t(slot, booking_id, event_id, user_id, total, currency, created, expires, correlation_id, actor, actor_id,
                message_id, body, trace)
    ), new_bookings AS (
        INSERT INTO booking.bookings (slot, booking_id, event_id, user_id, status, total, currency, created_at,
            expires_at, deadline, correlation_id, revision, sequence)
        SELECT slot, booking_id, event_id, user_id, 'PENDING', total, currency, created, expires, expires,
            correlation_id, 1, 1 FROM new
    ), new_holds AS (
        INSERT INTO booking.holds (user_id, booking_id, deadline) SELECT user_id, booking_id, expires FROM new
    ), new_history AS (
        INSERT INTO booking.history (slot, booking_id, number, at, trigger, to_status, actor, actor_id, correlation_id,
            note)
        SELECT slot, booking_id, 1, created, 'RESERVE', 'PENDING', actor, actor_id, correlation_id, '' FROM new
    ), new_events AS (
        INSERT INTO booking.outbox (slot, key, sequence, message_id, event_type, correlation_id, recorded_at, body,
            traceparent)
        SELECT slot, booking_id, 1, message_id, 'booking.created', correlation_id, created, body,
            coalesce(trace, nullif(current_setting('booking.traceparent', true), '')) FROM new
    ), new_claims AS (
        INSERT INTO booking.claims (slot, event_id, seat_id, booking_id, row_name, number, price, held_until)
        SELECT p_slot[n], p_event[n], seat_id, p_booking[n], row_name, number, price, p_expires[n]
        FROM unnest(c_n, c_seat, c_row, c_number, c_price) t(n, seat_id, row_name, number, price)
    ), new_keys AS (
        INSERT INTO booking.idempotency_keys AS k (user_id, operation, key, fingerprint, created_at, answer)
        SELECT p_user[n], operation, key, fingerprint, p_created[n], answer
        FROM unnest(k_n, k_operation, k_key, k_fingerprint, k_answer) t(n, operation, key, fingerprint, answer)
        ORDER BY 1, 2, 3
        ON CONFLICT (user_id, operation, key) DO UPDATE
        SET fingerprint = EXCLUDED.fingerprint, created_at = EXCLUDED.created_at, answer = EXCLUDED.answer
        WHERE k.created_at < EXCLUDED.created_at - make_interval(secs => p_key_seconds)
        RETURNING 1
    )
    SELECT count(*) INTO kept FROM new_keys;
    IF kept < cardinality(k_key) THEN
        RAISE EXCEPTION 'a key of the group received a response meanwhile' USING ERRCODE = 'serialization_failure';
    END IF;
END
$$
"""


def upgrade() -> None:
    op.execute(_LOCK_AND_LOAD)
    op.execute(_WRITE)


def downgrade() -> None:
    op.execute("DROP FUNCTION booking.lock_and_load_many_2")
    op.execute("DROP FUNCTION booking.write_many_2")
