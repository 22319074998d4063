"""The outbox: stored events in the order of their commits."""

from collections.abc import Sequence
from itertools import islice
from uuid import UUID

from attrs import evolve

from booking_core.ports import EventSelection, OutboxRecord
from booking_memory.tables import Tables
from booking_memory.transaction import Database


class MemoryOutbox:
    """`Outbox` over a database. The changes of one booking commit one by one, so its events are in sequence."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def unpublished(self, limit: int) -> Sequence[OutboxRecord]:
        with self._database.mutex:
            rows = self._database.tables.outbox.values()
            return list(islice((row.record for row in rows if row.published_at is None), limit))

    def mark_published(self, records: Sequence[OutboxRecord]) -> int:
        marked = 0
        with self._database.mutex:
            outbox, now = self._database.tables.outbox, self._database.clock()
            for record in records:
                row = outbox.get((record.key, record.sequence))
                if row is not None and row.published_at is None:
                    outbox[record.key, record.sequence] = evolve(row, published_at=now)
                    marked += 1
        return marked

    def stored(self, selection: EventSelection, after: OutboxRecord | None, limit: int) -> Sequence[OutboxRecord]:
        with self._database.mutex:
            tables = self._database.tables
            rows = [row.record for row in tables.outbox.values() if row.published_at is not None]
            chosen = [record for record in rows if _is_selected(record, selection, tables)]
        if after is not None:
            chosen = [record for record in chosen if _place(record) > _place(after)]
        return sorted(chosen, key=_place)[:limit]

    def everything(self) -> Sequence[OutboxRecord]:
        """Return every event that was not pruned, published or not, in the order of `unpublished`."""
        with self._database.mutex:
            return [row.record for row in self._database.tables.outbox.values()]


def _place(record: OutboxRecord) -> tuple[UUID, int]:
    return record.key, record.sequence


def _is_selected(record: OutboxRecord, selection: EventSelection, tables: Tables) -> bool:
    if selection.since is not None and record.recorded_at < selection.since:
        return False
    if selection.until is not None and record.recorded_at >= selection.until:
        return False
    if selection.types and record.event_type not in selection.types:
        return False
    if selection.booking_id is not None and record.key != selection.booking_id:
        return False
    return selection.event_id is None or selection.event_id == _ticketed_event(record, tables)


def _ticketed_event(record: OutboxRecord, tables: Tables) -> UUID:
    booking = tables.bookings.get(record.key)
    return record.key if booking is None else booking.event_id
