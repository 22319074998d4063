"""The outbox in PostgreSQL: events wait here, in the order of their bookings, until the bus has them."""

from collections.abc import Sequence
from typing import Final

from attrs import frozen
from sqlalchemy import text

from booking_core.ports import OutboxRecord
from booking_postgres.reading import Reader

# Oldest first between bookings; of each booking all that waits, in order. A booking's events are committed in the
# order of their sequence, for its row is locked while they are written: none can appear before an earlier one.
_UNPUBLISHED: Final = text("""
    WITH due AS (
        SELECT slot, key FROM booking.outbox WHERE published_at IS NULL ORDER BY recorded_at LIMIT :limit)
    SELECT o.slot, o.key, o.sequence, o.message_id, o.event_type, o.correlation_id, o.recorded_at, o.body
    FROM booking.outbox o JOIN (SELECT DISTINCT slot, key FROM due) d ON d.slot = o.slot AND d.key = o.key
    WHERE o.published_at IS NULL ORDER BY o.key, o.sequence LIMIT :limit
""")
_MARK: Final = text("""
    UPDATE booking.outbox o SET published_at = CAST(:now AS timestamptz)
    FROM unnest(CAST(:slots AS smallint[]), CAST(:keys AS uuid[]), CAST(:sequences AS integer[]))
        AS r (slot, key, sequence)
    WHERE o.slot = r.slot AND o.key = r.key AND o.sequence = r.sequence AND o.published_at IS NULL
""")
_PRUNE: Final = text("""
    DELETE FROM booking.outbox o USING (
        SELECT slot, key, sequence FROM booking.outbox
        WHERE published_at < CAST(:before AS timestamptz) - make_interval(secs => :age) LIMIT :limit) old
    WHERE o.slot = old.slot AND o.key = old.key AND o.sequence = old.sequence
""")
_NOW: Final = text("SELECT clock_timestamp()")


@frozen(eq=False)
class PostgresOutbox:
    """See `booking_core.ports.Outbox`."""

    reader: Reader

    def unpublished(self, limit: int) -> Sequence[OutboxRecord]:
        with self.reader.open() as connection:
            rows = connection.execute(_UNPUBLISHED, {"limit": limit}).all()
        return [
            OutboxRecord(
                slot=row[0],
                key=row[1],
                sequence=row[2],
                message_id=row[3],
                event_type=row[4],
                correlation_id=row[5],
                recorded_at=row[6],
                body=row[7].encode(),
            )
            for row in rows
        ]

    def mark_published(self, records: Sequence[OutboxRecord]) -> None:
        if not records:
            return
        with self.reader.open() as connection:
            connection.execute(
                _MARK,
                {
                    "now": connection.execute(_NOW).scalar_one(),
                    "slots": [record.slot for record in records],
                    "keys": [record.key for record in records],
                    "sequences": [record.sequence for record in records],
                },
            )

    def prune(self, older_than_days: float, limit: int) -> int:
        with self.reader.open() as connection:
            now = connection.execute(_NOW).scalar_one()
            done = connection.execute(_PRUNE, {"before": now, "age": older_than_days * 86400, "limit": limit})
            return done.rowcount
