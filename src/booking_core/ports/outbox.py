"""The outbox: events stored in the transaction that changed the booking, published later by a relay."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from attrs import frozen


@frozen(kw_only=True)
class OutboxRecord:
    """A stored event, ready to be published: `body` is its envelope as JSON.

    `traceparent` is the value of `booking_core.messages.trace_context` when its unit of work was entered.
    """

    slot: int
    key: UUID
    sequence: int
    message_id: UUID
    event_type: str
    correlation_id: str
    recorded_at: datetime
    body: bytes
    traceparent: str | None = None


@frozen(kw_only=True)
class EventSelection:
    """A filter for stored events; a field that is not set matches every event.

    `since` (inclusive) and `until` (exclusive) bound the time of recording. `event_id` selects the events of all
    bookings of a ticketed event, and its own `event.cancelled`.
    """

    since: datetime | None = None
    until: datetime | None = None
    booking_id: UUID | None = None
    event_id: UUID | None = None
    types: frozenset[str] = frozenset()


class Outbox(Protocol):
    """Stored events: those that wait for a relay, and those that were published and are still kept."""

    def unpublished(self, limit: int) -> Sequence[OutboxRecord]:
        """Return up to `limit` committed events that wait, per key in order of sequence and without gaps.

        No event is ever passed over because its transaction committed late.
        """
        ...

    def mark_published(self, records: Sequence[OutboxRecord]) -> int:
        """Record that the bus has these events; returns the number of those that were not marked before."""
        ...

    def stored(self, selection: EventSelection, after: OutboxRecord | None, limit: int) -> Sequence[OutboxRecord]:
        """Return one page of published events that match, key by key, each key in order of sequence.

        `after` is the last record of the page before. The pages contain each event once if it was published before
        the first page was read and is not pruned meanwhile. Events that wait are left out: publishing them early
        would break the order of their booking.
        """
        ...
