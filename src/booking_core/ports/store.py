"""The store: units of work that write, queries that read, and the outbox that a relay empties."""

from collections.abc import Sequence
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self
from uuid import UUID

from attrs import frozen

from booking_core.domain.events import DomainEvent
from booking_core.messages.json_encoding import to_json
from booking_core.ports.reads import Queries
from booking_core.ports.unit_of_work import BookingRepository, EventRepository, IdempotencyKeys, Inbox


class UnitOfWork(Protocol):
    """One transaction: everything in it happens at `commit`, or nothing does.

    Used by one thread. Leaving the `with` block without `commit` rolls back. A unit of work on a connection that the
    caller owns neither commits, rolls back nor closes it: `commit` then means that the caller's commit will include
    our writes, and leaving without it takes back ours alone.
    """

    @property
    def bookings(self) -> BookingRepository: ...
    @property
    def events(self) -> EventRepository: ...
    @property
    def inbox(self) -> Inbox: ...
    @property
    def idempotency(self) -> IdempotencyKeys: ...

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def commit(self) -> None:
        """Write everything and make it last. At most once.

        Raises SeatAlreadyReserved, TransactionConflict (nothing written, run the whole again), ServiceBusy (nothing
        written), or CommitOutcomeUnknown (written wholly or not at all).
        """
        ...


@frozen(kw_only=True)
class OutboxRecord:
    """A stored event, ready to be sent: `body` is its envelope as JSON.

    `traceparent` is what `booking_core.messages.trace_context` said when the unit of work that stored it was entered.
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

    @classmethod
    def of(cls, event: DomainEvent, traceparent: str | None = None) -> Self:
        """As a store that keeps records whole would keep this event."""
        return cls(
            slot=event.slot,
            key=event.key,
            sequence=event.sequence,
            message_id=event.message_id,
            event_type=event.event_type,
            correlation_id=event.correlation_id,
            recorded_at=event.timestamp,
            body=to_json(event.envelope()).encode(),
            traceparent=traceparent,
        )


@frozen(kw_only=True)
class EventSelection:
    """Which stored events are meant; what is not said does not matter.

    `since` and `until` bound when they were recorded: from `since` on, and before `until`. `booking_id` and `event_id`
    (a ticketed event, its bookings and its own `event.cancelled`) say whose they are.
    """

    since: datetime | None = None
    until: datetime | None = None
    booking_id: UUID | None = None
    event_id: UUID | None = None
    types: frozenset[str] = frozenset()


class Outbox(Protocol):
    """Events that were stored with the changes they tell of, and wait to be published."""

    def unpublished(self, limit: int) -> Sequence[OutboxRecord]:
        """Up to `limit` events, per key without gaps in order of sequence, none published before.

        Only committed events are seen, and none is ever passed over because its transaction committed late.
        """
        ...

    def mark_published(self, records: Sequence[OutboxRecord]) -> int:
        """They are safely on the bus. Marking twice changes nothing; returns how many were not marked before."""
        ...

    def stored(self, selection: EventSelection, after: OutboxRecord | None, limit: int) -> Sequence[OutboxRecord]:
        """Up to `limit` published events that are selected, of one key after the other, each in order of sequence.

        `after` is the last one of the page before; the same selection over all pages finds each event once, if it was
        published before the first page was read and is not pruned meanwhile. Those that wait are not found: saying
        them out of turn is how an order is broken.
        """
        ...

    def prune(self, older_than_days: float, limit: int) -> int:
        """Remove up to `limit` events published longer ago than that; returns how many."""
        ...


class Store(Protocol):
    """Where bookings live. Safe to use from many threads; connects lazily.

    `retries`: how often a use case may run again after TransactionConflict; 0 where the caller owns the transaction,
    for then retrying is the caller's.
    """

    @property
    def retries(self) -> int: ...
    @property
    def queries(self) -> Queries: ...
    @property
    def outbox(self) -> Outbox: ...

    def unit_of_work(self) -> UnitOfWork:
        """A new unit of work, not yet entered."""
        ...

    def prune(self, *, idempotency_hours: float, retention_days: float, limit: int) -> int:
        """Remove up to `limit` each of expired idempotency keys, old inbox rows and dead holds; returns how many."""
        ...

    def migrate(self) -> Sequence[str]:
        """Bring the schema up to date; returns the names of the steps taken. Safe to run twice, also at once."""
        ...

    def trouble(self) -> str | None:
        """None if the store can be used; else one line for an operator: what is wrong, and what to run."""
        ...

    def close(self) -> None:
        """Let go of connections. May be called twice."""
        ...
