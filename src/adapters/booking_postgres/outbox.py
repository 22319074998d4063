"""The outbox in PostgreSQL: events that wait for a relay, in the order of their booking, and published ones."""

from collections.abc import Sequence
from typing import Final

from attrs import frozen
from sqlalchemy import text

from booking_core.ports import EventSelection, OutboxRecord
from booking_postgres.driver.pipeline import Statement
from booking_postgres.driver.reader import Reader, rows_on
from booking_postgres.reads.stored_events import COLUMNS, read_stored, record_of

# The booking with the oldest event first; of each booking all events that wait, in order. The events of a booking are
# committed in the order of their sequence, because its row is locked while they are written: none can appear before an
# earlier one. The limit cuts off the last events of one booking, never events between others (ADR 0012).
_UNPUBLISHED: Final = f"""
    WITH due AS (
        SELECT slot, key, recorded_at FROM booking.outbox WHERE published_at IS NULL ORDER BY recorded_at
        LIMIT %(limit)s)
    SELECT {COLUMNS}
    FROM booking.outbox o JOIN (SELECT slot, key, min(recorded_at) AS oldest FROM due GROUP BY slot, key) d
        ON d.slot = o.slot AND d.key = o.key
    WHERE o.published_at IS NULL ORDER BY d.oldest, o.key, o.sequence LIMIT %(limit)s
"""  # noqa: S608 - the names of columns
_MARK: Final = text("""
    UPDATE booking.outbox o SET published_at = CAST(:now AS timestamptz)
    FROM unnest(CAST(:slots AS smallint[]), CAST(:keys AS uuid[]), CAST(:sequences AS integer[]))
        AS r (slot, key, sequence)
    WHERE o.slot = r.slot AND o.key = r.key AND o.sequence = r.sequence AND o.published_at IS NULL
""")
_NOW: Final = Statement("SELECT clock_timestamp()", {})


@frozen(eq=False)
class PostgresOutbox:
    """See `booking_core.ports.Outbox`."""

    reader: Reader

    def unpublished(self, limit: int) -> Sequence[OutboxRecord]:
        with self.reader.open() as connection:
            return [record_of(row) for row in rows_on(connection, Statement(_UNPUBLISHED, {"limit": limit}))]

    def mark_published(self, records: Sequence[OutboxRecord]) -> int:
        if not records:
            return 0
        # In one order, so that relays that mark the same rows wait for each other without a deadlock.
        ordered = sorted(records, key=lambda record: (record.slot, record.key, record.sequence))
        with self.reader.open() as connection:
            [[now]] = rows_on(connection, _NOW)
            done = connection.execute(
                _MARK,
                {
                    "now": now,
                    "slots": [record.slot for record in ordered],
                    "keys": [record.key for record in ordered],
                    "sequences": [record.sequence for record in ordered],
                },
            )
            return done.rowcount

    def stored(self, selection: EventSelection, after: OutboxRecord | None, limit: int) -> Sequence[OutboxRecord]:
        with self.reader.open() as connection:
            return read_stored(connection, selection, after, limit)
