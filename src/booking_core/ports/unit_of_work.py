"""Writing: one unit of work and its repositories of events, processed messages and stored responses.

All of it is one transaction. Its bookings, and how their seats are locked, are in `ports.bookings`.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from types import TracebackType
from typing import Protocol, Self
from uuid import UUID

from attrs import frozen

from booking_core.domain.commands import PaymentCommand
from booking_core.domain.events import EventCancelled
from booking_core.domain.reservation import IdempotencyKey, StoredResponse
from booking_core.domain.values import Seat, TicketedEvent
from booking_core.ports.bookings import BookingRepository
from booking_core.ports.customers import CustomerRepository


@frozen(kw_only=True)
class Closure:
    """The cancellation of an event by an administrator. `finished` once `event.cancelled` is stored."""

    event_id: UUID
    reason: str
    cancelled_at: datetime
    administrator: str
    correlation_id: str
    finished: bool


class EventRepository(Protocol):
    """Events and seats as the Catalog described them, and the closure of an event by an administrator.

    In the one order of locks an event comes after the seats. Reserving never waits for the lock of an event.
    """

    def put(self, event: TicketedEvent, *, ages: bool, complete: bool) -> None:
        """Insert or update the event, refreshed now. `ages`: it came from a Catalog and must be refreshed in time.

        `complete`: all seats of the event are known now; this is never unset. A closed event stays closed.
        """
        ...

    def put_if_unchanged(
        self,
        event: TicketedEvent,
        before: TicketedEvent | None,
        *,
        ages: bool,
        complete: bool,
        refreshed: bool = True,
    ) -> bool:
        """`put` the event if it still has the currency and status of `before` (None: if it is still unknown).

        Without `refreshed` a known event stays as old as it was: its seats are not known to be right yet.
        Otherwise writes nothing and returns False. Waits (bounded) for another unit of work that puts the same event.
        """
        ...

    def lock(self, event_id: UUID) -> TicketedEvent | None:
        """Lock the event until the unit of work ends, and return it as it is then; None if it is unknown."""
        ...

    def put_seats(self, event_id: UUID, seats: Sequence[Seat]) -> int:
        """Insert or update seats, sorted by id; writes only rows that differ and returns their number.

        A withdrawn seat that is put again can be reserved again. Raises EventNotFound if the event was never put.
        """
        ...

    def withdraw_seats(self, event_id: UUID, known: Sequence[UUID]) -> int:
        """Withdraw the seats of the event that are not in `known`, and return their number.

        A withdrawn seat cannot be reserved; existing bookings keep it.
        """
        ...

    def close(self, closure: Closure) -> Closure | None:
        """Close the event to new holds, and return the closure that is valid: the first one. None: unknown event.

        `cancelled_at` of a new closure is replaced by the database's clock. Never waits for reservations.
        """
        ...

    def finish(self, event: EventCancelled) -> bool:
        """Store `event.cancelled` and mark the closure finished; False, and nothing stored, if it was finished.

        `affected_bookings` of the event is replaced by the number of bookings that ended because the event was
        cancelled, those saved in this unit of work included.
        """
        ...


class Receipt(Enum):
    """What the inbox knows of a message: nothing, the same message, or another one with the same id."""

    NEW = "new"
    REPEATED = "repeated"
    REUSED = "reused"


class Inbox(Protocol):
    """The inbound messages that were processed (FR-11): their ids, and the booking, payment and type of each."""

    def mark_processed(self, messages: Sequence[PaymentCommand]) -> Sequence[Receipt]:
        """Record these messages in this transaction; a result for each, in the order given.

        The first message with an id is NEW. A later one with the same booking, payment and type is REPEATED, and any
        other is REUSED, also if their bookings have nothing in common. Of messages of several units of work with one
        id one is NEW: the others wait (bounded) for its end. An id that was reused is retained. The caller holds the
        locks of the bookings. Raises ServiceBusy, TransactionConflict.
        """
        ...

    def retain(self, messages: Sequence[PaymentCommand]) -> None:
        """Keep these messages, marked in this unit of work, when the inbox is pruned: a repeat could have an effect."""
        ...


class StoredResponses(Protocol):
    """Responses stored under idempotency keys, in the transaction whose work they answer.

    A response older than the store's idempotency hours is treated as absent, pruned or not.
    """

    def claim(self, key: IdempotencyKey) -> StoredResponse | None:
        """Lock the key; return the response stored under it, or None if this request is the first.

        Raises IdempotencyKeyReused (another fingerprint), IdempotencyInProgress (still locked after a bounded wait).
        """
        ...

    def keep(self, key: IdempotencyKey, text: str) -> None:
        """Store the response at commit, under a key that this unit of work has claimed."""
        ...


class UnitOfWork(Protocol):
    """One transaction, used by one thread: all of its writes are committed, or none.

    Leaving the `with` block without `commit` rolls back. On a connection that the caller owns, a unit of work neither
    commits, rolls back nor closes the connection: `commit` hands its writes over to the caller's transaction, and
    leaving without `commit` undoes its own writes only.
    """

    @property
    def bookings(self) -> BookingRepository: ...
    @property
    def customers(self) -> CustomerRepository: ...
    @property
    def events(self) -> EventRepository: ...
    @property
    def inbox(self) -> Inbox: ...
    @property
    def responses(self) -> StoredResponses: ...

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def commit(self) -> None:
        """Write everything and commit, at most once.

        Raises SeatAlreadyReserved, TransactionConflict or ServiceBusy (nothing written), or CommitOutcomeUnknown (all
        written or nothing). After TransactionConflict the caller may run the whole unit of work again.
        """
        ...
