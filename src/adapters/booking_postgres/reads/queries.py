"""Reads of bookings, events and seats. Statuses are effective: they do not depend on whether expiry has run."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final, cast
from uuid import UUID

from attrs import frozen

from booking_core.domain.booking import Booking
from booking_core.domain.history import HistoryEntry
from booking_core.domain.identity import slot_of_booking, slot_of_event, slot_of_ticket
from booking_core.domain.lifecycle import Status
from booking_core.domain.reservation import IdempotencyKey
from booking_core.domain.values import SeatStatus
from booking_core.ports.reads import (
    Backlogs,
    CancellationPreview,
    KnownEvent,
    Page,
    Paged,
    SeatList,
    Snapshot,
    Statistics,
)
from booking_core.ports.unit_of_work import Closure
from booking_postgres.booking_rows import BOOKING_COLUMNS, booking_of, history_of
from booking_postgres.driver.connection import TABLE_SCAN_SECONDS
from booking_postgres.driver.pipeline import Rows, Statement
from booking_postgres.driver.reader import Reader
from booking_postgres.event_rows import CLOSURE_COLUMNS, closure_of
from booking_postgres.reads import lists
from booking_postgres.reads.lists import KNOWN_EVENT_COLUMNS, known_event_of
from booking_postgres.reads.seat_maps import SeatMaps
from booking_postgres.reads.statistics import backlogs_of, preview_of, statistics_of

_ONE: Final = f"""
    SELECT {BOOKING_COLUMNS}, clock_timestamp() FROM booking.bookings b
    WHERE b.slot = %(slot)s AND b.booking_id = %(booking_id)s
"""  # noqa: S608
# An ordinary look-up by index: its duration does not help an attacker, because a reference has 128 random bits and
# cannot be approached step by step.
_BY_TICKET: Final = f"""
    SELECT {BOOKING_COLUMNS}, clock_timestamp() FROM booking.bookings b
    WHERE b.slot = %(slot)s AND b.ticket_reference = %(reference)s
"""  # noqa: S608
_EVENT: Final = f"""
    SELECT {KNOWN_EVENT_COLUMNS} FROM booking.events e WHERE e.slot = %(slot)s AND e.event_id = %(event_id)s
"""  # noqa: S608
_NOW: Final = "SELECT clock_timestamp()"
_HISTORY: Final = """
    SELECT number, at, trigger, from_status, to_status, actor, actor_id, correlation_id, payment_id, note
    FROM booking.history WHERE slot = %(slot)s AND booking_id = %(booking_id)s ORDER BY number
"""
# OFFSET 0 keeps the planner from joining in another way than by one look into the index for each key.
_STORED_RESPONSES: Final = """
    SELECT w.* FROM unnest(%(users)s::text[], %(operations)s::text[], %(keys)s::text[]) AS w (user_id, operation, key),
        LATERAL (SELECT FROM booking.idempotency_keys k
                 WHERE k.user_id = w.user_id AND k.operation = w.operation AND k.key = w.key OFFSET 0) k
"""
_OPEN_CLOSURES: Final = f"""
    SELECT {CLOSURE_COLUMNS} FROM booking.events
    WHERE closed_at IS NOT NULL AND finished_at IS NULL ORDER BY closed_at
"""  # noqa: S608


@frozen(eq=False)
class PostgresReads:
    """See `booking_core.ports.Reads`."""

    reader: Reader
    seat_maps: SeatMaps

    def now(self) -> datetime:
        [[moment]] = self.reader.rows(Statement(_NOW, {}))
        return cast(datetime, moment)

    def booking(self, booking_id: UUID) -> Snapshot | None:
        values = {"slot": slot_of_booking(booking_id), "booking_id": booking_id}
        return _snapshot_in(self.reader.rows(Statement(_ONE, values)))

    def booking_with_ticket(self, reference: str) -> Snapshot | None:
        slot = slot_of_ticket(reference)
        if slot is None:
            return None
        return _snapshot_in(self.reader.rows(Statement(_BY_TICKET, {"slot": slot, "reference": reference})))

    def bookings_of(self, user_id: str, status: Status | None, page: Page) -> Paged[Booking]:
        return lists.bookings_of(self.reader, user_id, status, page)

    def history(self, booking_id: UUID) -> Sequence[HistoryEntry]:
        values = {"slot": slot_of_booking(booking_id), "booking_id": booking_id}
        return [history_of(row) for row in self.reader.rows(Statement(_HISTORY, values))]

    def stored_responses(self, keys: Sequence[IdempotencyKey]) -> Sequence[bool]:
        values = {
            "users": [key.user_id for key in keys],
            "operations": [key.operation for key in keys],
            "keys": [key.key for key in keys],
        }
        # A key is committed together with its response.
        stored = set(self.reader.rows(Statement(_STORED_RESPONSES, values))) if keys else set()
        return [(key.user_id, key.operation, key.key) in stored for key in keys]

    def event(self, event_id: UUID) -> KnownEvent | None:
        rows = self.reader.rows(Statement(_EVENT, {"slot": slot_of_event(event_id), "event_id": event_id}))
        return known_event_of(rows[0]) if rows else None

    def events(self, page: Page) -> Paged[KnownEvent]:
        return lists.events(self.reader, page)

    def seats(self, event_id: UUID) -> SeatList:
        return self.seat_maps.of(event_id)

    def seat_statuses(self, event_id: UUID, seat_ids: Collection[UUID]) -> Mapping[UUID, SeatStatus]:
        return self.seat_maps.statuses(event_id, seat_ids)

    def open_closures(self) -> Sequence[Closure]:
        return [closure_of(row) for row in self.reader.rows(Statement(_OPEN_CLOSURES, {}))]

    def cancellation_preview(self, event_id: UUID) -> CancellationPreview:
        with self.reader.open(answer_seconds=TABLE_SCAN_SECONDS) as connection:
            return preview_of(connection, event_id)

    def backlogs(self) -> Backlogs:
        with self.reader.open() as connection:
            return backlogs_of(connection)

    def statistics(self) -> Statistics:
        with self.reader.open(answer_seconds=TABLE_SCAN_SECONDS) as connection:
            return statistics_of(connection)


def _snapshot_in(rows: Rows) -> Snapshot | None:
    """Build the snapshot of a row that starts with BOOKING_COLUMNS and ends with the clock; None without a row."""
    if not rows:
        return None
    now: datetime = rows[0][-1]
    return Snapshot(booking=booking_of(rows[0]).as_of(now), now=now)
