"""The first schema: the event's side leads with `slot`, the user's side with `user_id` (ADR 0006).

No foreign key crosses the two sides, and none leads to `events` from the hot path: every reservation would lock the
one row of a popular event in share mode, and PostgreSQL would keep a multixact of all of them.
"""

from alembic import op

revision = "0001"
down_revision = None

_EVENTS_SIDE = (
    """
    CREATE TABLE booking.events (
        slot smallint NOT NULL CHECK (slot BETWEEN 0 AND 4095),
        event_id uuid NOT NULL,
        name text NOT NULL,
        starts_at timestamptz NOT NULL,
        sale_status text NOT NULL CHECK (sale_status IN ('ON_SALE', 'CANCELLED', 'DRAFT')),
        currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
        ages boolean NOT NULL,
        complete boolean NOT NULL,
        refreshed_at timestamptz NOT NULL,
        closed_at timestamptz,
        close_reason text,
        closed_by text,
        close_correlation_id text,
        finished_at timestamptz,
        affected_bookings integer NOT NULL DEFAULT 0,
        PRIMARY KEY (slot, event_id),
        CONSTRAINT a_closure_says_who_and_why CHECK (
            num_nonnulls(closed_at, close_reason, closed_by, close_correlation_id) IN (0, 4)),
        CONSTRAINT only_what_was_closed_is_finished CHECK (finished_at IS NULL OR closed_at IS NOT NULL)
    )
    """,
    "CREATE INDEX events_closing ON booking.events (closed_at) WHERE closed_at IS NOT NULL AND finished_at IS NULL",
    """
    CREATE TABLE booking.seats (
        slot smallint NOT NULL,
        event_id uuid NOT NULL,
        seat_id uuid NOT NULL,
        row_name text NOT NULL,
        number integer NOT NULL CHECK (number >= 0),
        price numeric NOT NULL CHECK (price >= 0 AND price < 1e12),
        withdrawn boolean NOT NULL DEFAULT false,
        PRIMARY KEY (slot, event_id, seat_id),
        FOREIGN KEY (slot, event_id) REFERENCES booking.events
    )
    """,
    """
    CREATE TABLE booking.bookings (
        slot smallint NOT NULL,
        booking_id uuid NOT NULL,
        event_id uuid NOT NULL,
        user_id text NOT NULL CHECK (length(user_id) BETWEEN 1 AND 255),
        status text NOT NULL CHECK (status IN ('PENDING', 'PROCESSING', 'CONFIRMED', 'CANCELLED')),
        total numeric NOT NULL CHECK (total >= 0),
        currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
        created_at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL,
        deadline timestamptz,
        correlation_id text NOT NULL,
        processing_started_at timestamptz,
        confirmed_at timestamptz,
        ticket_reference text,
        confirmed_by text,
        cancelled_at timestamptz,
        cancellation_reason text CHECK (
            cancellation_reason IN ('USER_CANCELLED', 'PAYMENT_FAILED', 'EXPIRED', 'EVENT_CANCELLED')),
        revision integer NOT NULL CHECK (revision > 0),
        sequence integer NOT NULL CHECK (sequence > 0),
        PRIMARY KEY (slot, booking_id),
        CONSTRAINT the_window_is_ahead CHECK (expires_at > created_at),
        CONSTRAINT a_hold_has_a_deadline CHECK ((status IN ('PENDING', 'PROCESSING')) = (deadline IS NOT NULL)),
        CONSTRAINT a_deadline_keeps_the_promise CHECK (deadline >= expires_at),
        CONSTRAINT processing_says_since_when CHECK (status <> 'PROCESSING' OR processing_started_at IS NOT NULL),
        CONSTRAINT confirmed_has_a_ticket_and_a_payment CHECK (
            status <> 'CONFIRMED' OR num_nulls(confirmed_at, ticket_reference, confirmed_by) = 0),
        CONSTRAINT cancelled_says_when_and_why CHECK (
            num_nonnulls(cancelled_at, cancellation_reason) = CASE status WHEN 'CANCELLED' THEN 2 ELSE 0 END)
    )
    """,
    "CREATE INDEX bookings_of_user ON booking.bookings (user_id, created_at DESC, booking_id DESC)",
    "CREATE INDEX bookings_on_hold ON booking.bookings (deadline) WHERE deadline IS NOT NULL",
    """
    CREATE UNIQUE INDEX one_booking_per_ticket ON booking.bookings (slot, ticket_reference)
    WHERE ticket_reference IS NOT NULL
    """,
    """
    CREATE TABLE booking.claims (
        slot smallint NOT NULL,
        event_id uuid NOT NULL,
        seat_id uuid NOT NULL,
        booking_id uuid NOT NULL,
        row_name text NOT NULL,
        number integer NOT NULL,
        price numeric NOT NULL CHECK (price >= 0),
        held_until timestamptz,
        ended_at timestamptz,
        PRIMARY KEY (slot, booking_id, seat_id),
        FOREIGN KEY (slot, booking_id) REFERENCES booking.bookings,
        FOREIGN KEY (slot, event_id, seat_id) REFERENCES booking.seats
    )
    """,
    "COMMENT ON COLUMN booking.claims.held_until IS 'the deadline of the hold; null: sold'",
    "COMMENT ON COLUMN booking.claims.ended_at IS 'when the seat was released; null: the claim is live'",
    # BR-01, last line: even wrong code cannot give one seat to two live bookings.
    "CREATE UNIQUE INDEX one_live_claim ON booking.claims (slot, event_id, seat_id) WHERE ended_at IS NULL",
    """
    CREATE TABLE booking.payments (
        slot smallint NOT NULL,
        booking_id uuid NOT NULL,
        payment_id text NOT NULL,
        status text NOT NULL CHECK (status IN ('PROCESSING', 'FAILED', 'TAKEN')),
        recorded_at timestamptz NOT NULL,
        amount numeric CHECK (amount >= 0),
        currency text CHECK (currency ~ '^[A-Z]{3}$'),
        taken_at timestamptz,
        refund_reason text CHECK (refund_reason IN (
            'USER_CANCELLED', 'EVENT_CANCELLED', 'LATE_PAYMENT', 'DUPLICATE_PAYMENT', 'AMOUNT_MISMATCH')),
        refund_status text CHECK (refund_status IN ('REQUESTED', 'COMPLETED', 'FAILED')),
        refund_requested_at timestamptz,
        refund_answered_at timestamptz,
        PRIMARY KEY (slot, booking_id, payment_id),
        FOREIGN KEY (slot, booking_id) REFERENCES booking.bookings,
        CONSTRAINT taken_says_how_much CHECK (
            num_nonnulls(taken_at, amount, currency) = CASE status WHEN 'TAKEN' THEN 3 ELSE 0 END),
        CONSTRAINT a_refund_is_whole CHECK (
            num_nonnulls(refund_reason, refund_status, refund_requested_at) IN (0, 3)),
        CONSTRAINT only_money_taken_goes_back CHECK (refund_reason IS NULL OR status = 'TAKEN'),
        CONSTRAINT answered_says_when CHECK (
            (refund_answered_at IS NULL) = (refund_status IS NULL OR refund_status = 'REQUESTED'))
    )
    """,
    """
    CREATE INDEX refunds_unanswered ON booking.payments (refund_requested_at)
    WHERE refund_status IS NOT NULL AND refund_status <> 'COMPLETED'
    """,
    """
    CREATE TABLE booking.history (
        slot smallint NOT NULL,
        booking_id uuid NOT NULL,
        number integer NOT NULL CHECK (number > 0),
        at timestamptz NOT NULL,
        trigger text NOT NULL,
        from_status text,
        to_status text NOT NULL,
        actor text NOT NULL,
        actor_id text NOT NULL,
        correlation_id text NOT NULL,
        payment_id text,
        note text NOT NULL,
        PRIMARY KEY (slot, booking_id, number)
    )
    """,
    """
    CREATE TABLE booking.outbox (
        slot smallint NOT NULL,
        key uuid NOT NULL,
        sequence integer NOT NULL CHECK (sequence > 0),
        message_id uuid NOT NULL,
        event_type text NOT NULL,
        correlation_id text NOT NULL,
        recorded_at timestamptz NOT NULL,
        body text NOT NULL,
        published_at timestamptz,
        PRIMARY KEY (slot, key, sequence)
    )
    """,
    "CREATE INDEX outbox_unpublished ON booking.outbox (recorded_at) WHERE published_at IS NULL",
    "CREATE INDEX outbox_published ON booking.outbox (published_at) WHERE published_at IS NOT NULL",
    """
    CREATE TABLE booking.inbox (
        slot smallint NOT NULL,
        message_id uuid NOT NULL,
        booking_id uuid NOT NULL,
        received_at timestamptz NOT NULL,
        PRIMARY KEY (slot, message_id)
    )
    """,
    "CREATE INDEX inbox_by_age ON booking.inbox (received_at)",
)

_USERS_SIDE = (
    "CREATE TABLE booking.customers (user_id text PRIMARY KEY)",
    "COMMENT ON TABLE booking.customers IS 'one row a user, to be locked while reserving (BR-03)'",
    """
    CREATE TABLE booking.holds (
        user_id text NOT NULL,
        booking_id uuid NOT NULL,
        deadline timestamptz NOT NULL,
        PRIMARY KEY (user_id, booking_id)
    )
    """,
    "COMMENT ON TABLE booking.holds IS 'the PENDING bookings of a user; only those with a deadline ahead count'",
    """
    CREATE TABLE booking.idempotency_keys (
        user_id text NOT NULL,
        operation text NOT NULL,
        key text NOT NULL,
        fingerprint text NOT NULL,
        answer text,
        created_at timestamptz NOT NULL,
        PRIMARY KEY (user_id, operation, key)
    )
    """,
    "CREATE INDEX idempotency_keys_by_age ON booking.idempotency_keys (created_at)",
)

_TABLES = (
    "idempotency_keys", "holds", "customers", "inbox", "outbox", "history", "payments", "claims", "bookings", "seats",
    "events",
)  # fmt: skip


def upgrade() -> None:
    for statement in _EVENTS_SIDE + _USERS_SIDE:
        op.execute(statement)


def downgrade() -> None:
    for table in _TABLES:
        op.execute(f"DROP TABLE booking.{table}")
