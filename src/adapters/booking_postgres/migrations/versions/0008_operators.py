"""Indexes by which operators find bookings: by event, place, payment and correlation id (`late_indexes`).

Here they are built on small tables alone: on a large one, `migrate` builds them beside the traffic afterwards.
"""

from alembic import op

from booking_postgres.late_indexes import LATE_INDEXES, build_if_small

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    for index in LATE_INDEXES:
        build_if_small(op.get_bind(), index)


def downgrade() -> None:
    for index in LATE_INDEXES:
        op.execute(f"DROP INDEX IF EXISTS booking.{index.name}")
