"""The trace in which an event was stored, kept with it for the relay (ADR 0018).

It comes from the transaction's own setting, so that no statement that stores an event has to name it: one that is not
traced says nothing of it, and pays nothing for it. A setting that was local to an earlier transaction of the session
reads as an empty text.
"""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute(
        "ALTER TABLE booking.outbox ADD COLUMN traceparent text"
        " DEFAULT nullif(current_setting('booking.traceparent', true), '')"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE booking.outbox DROP COLUMN traceparent")
