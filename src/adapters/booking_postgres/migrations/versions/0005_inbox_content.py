"""The inbox says what an id names, and which messages pruning keeps (ADR 0031).

Rows of earlier versions have neither payment nor type, and are in the slot of their booking. Versions before this one
go on inserting such rows while it is applied and afterwards.
"""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("""
        ALTER TABLE booking.inbox ADD COLUMN payment_id text, ADD COLUMN event_type text,
            ADD COLUMN retained boolean NOT NULL DEFAULT false
    """)


def downgrade() -> None:
    op.execute("ALTER TABLE booking.inbox DROP COLUMN payment_id, DROP COLUMN event_type, DROP COLUMN retained")
