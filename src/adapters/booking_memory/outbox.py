"""The outbox: stored events in the order in which their transactions committed."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import islice

from attrs import evolve

from booking_core.ports import OutboxRecord
from booking_memory.transaction import Database


class MemoryOutbox:
    """`Outbox` over a database. One booking's changes commit one after the other, so its events lie in sequence."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def unpublished(self, limit: int) -> Sequence[OutboxRecord]:
        with self._database.mutex:
            rows = self._database.tables.outbox.values()
            return list(islice((row.record for row in rows if row.published_at is None), limit))

    def mark_published(self, records: Sequence[OutboxRecord]) -> None:
        with self._database.mutex:
            outbox, now = self._database.tables.outbox, self._database.clock()
            for record in records:
                row = outbox.get((record.key, record.sequence))
                if row is not None and row.published_at is None:
                    outbox[record.key, record.sequence] = evolve(row, published_at=now)

    def stored(self) -> Sequence[OutboxRecord]:
        """Every event that has not been pruned, published or not, in the order of `unpublished`."""
        with self._database.mutex:
            return [row.record for row in self._database.tables.outbox.values()]

    def prune(self, older_than_days: float, limit: int) -> int:
        with self._database.mutex:
            outbox = self._database.tables.outbox
            before = self._database.clock() - timedelta(days=older_than_days)
            old = [key for key, row in outbox.items() if row.published_at is not None and row.published_at < before]
            for key in old[:limit]:
                del outbox[key]
            return len(old[:limit])
