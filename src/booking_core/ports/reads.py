"""Reading: no locks and no writes; each result is of one moment of the database's clock."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Generic, Protocol, TypeVar
from uuid import UUID

from attrs import Attribute, field, frozen

from booking_core.domain.booking import Booking
from booking_core.domain.errors import InvalidValue
from booking_core.domain.history import HistoryEntry
from booking_core.domain.lifecycle import Status
from booking_core.domain.reservation import IdempotencyKey
from booking_core.domain.values import Seat, SeatStatus, TicketedEvent
from booking_core.ports.unit_of_work import Closure

T = TypeVar("T")
_MOST: Final = 10**9


def _is_countable(_: Any, attribute: "Attribute[int]", value: int) -> None:
    if not 1 <= value <= _MOST:
        raise InvalidValue(attribute.name, f"must be from 1 to {_MOST}")


@frozen(kw_only=True)
class Page:
    """One page of a list, counted from 1. Raises InvalidValue for a number or limit below 1 or above 10^9."""

    number: int = field(default=1, validator=_is_countable)
    limit: int = field(default=10, validator=_is_countable)

    @property
    def offset(self) -> int:
        """The number of entries before this page."""
        return (self.number - 1) * self.limit


@frozen(kw_only=True)
class Paged(Generic[T]):
    """The entries of one page, and the number of entries of the whole list."""

    items: Sequence[T]
    total: int


@frozen(kw_only=True)
class Snapshot:
    """A booking with its effective status at `now`: an overdue hold is CANCELLED/EXPIRED."""

    booking: Booking
    now: datetime


@frozen(kw_only=True)
class KnownEvent:
    """An event as the store knows it, and the age of that knowledge.

    `closed_at`: when an administrator cancelled the event here. `complete`: all its seats are known. `age_seconds` is
    None for events that do not age (loaded from a file).
    """

    event: TicketedEvent
    closed_at: datetime | None
    complete: bool
    age_seconds: float | None

    @property
    def closed(self) -> bool:
        """Whether the event was cancelled here."""
        return self.closed_at is not None


@frozen(kw_only=True)
class SeatOnMap:
    """A seat and its public status."""

    seat: Seat
    status: SeatStatus


@frozen(kw_only=True)
class SeatList:
    """All seats of an event at one moment. Two lists of one event and one store with an equal version are equal.

    A version of None is equal to no other: such a list may or may not have changed.
    """

    seats: Sequence[SeatOnMap]
    version: int | None = None


@frozen(kw_only=True)
class Backlogs:
    """Numbers and ages of what waits; ages are in seconds, None where nothing waits.

    `holds`: bookings whose deadline is ahead; `ending_soon`: those with a deadline within 60 s. `unanswered_refunds`:
    requested more than an hour ago; its age is that of the oldest one without an answer, however young.
    `open_closures`: cancelled events whose bookings may not all be cancelled yet; the age counts from the closure.
    """

    holds: int
    ending_soon: int
    overdue: int
    oldest_overdue_seconds: float | None
    outbox: int
    oldest_outbox_seconds: float | None
    unanswered_refunds: int
    oldest_unanswered_refund_seconds: float | None
    open_closures: int
    oldest_open_closure_seconds: float | None


@frozen(kw_only=True)
class Statistics(Backlogs):
    """The backlogs, and the number of bookings by effective status."""

    by_status: Mapping[Status, int]


@frozen(kw_only=True)
class CancellationPreview:
    """The bookings that cancelling an event would end now, or has still to end; refunds as (sum, count) by currency.

    `ended`: bookings that have already ended because the event was cancelled, counted at the same moment.
    """

    ended: int
    bookings: int
    seats: int
    refunds: Mapping[str, tuple[Decimal, int]] = field(factory=dict)


class Reads(Protocol):
    """Queries without locks. Every booking returned is the caller's own copy, settled for the moment of reading.

    Every read is bounded in time and raises ServiceBusy when the store cannot answer. Safe to use from many threads.
    """

    def now(self) -> datetime:
        """Return the database's clock, in UTC."""
        ...

    def booking(self, booking_id: UUID) -> Snapshot | None:
        """Return one booking with its payments; None if it is unknown."""
        ...

    def booking_with_ticket(self, reference: str) -> Snapshot | None:
        """Return the booking that received this ticket reference, in whatever status; None if it is unknown.

        `reference` is compared character by character; any text is allowed.
        """
        ...

    def bookings_of(self, user_id: str, status: Status | None, page: Page) -> Paged[Booking]:
        """Return the user's bookings, newest first (by creation, then id); filter and total by effective status."""
        ...

    def history(self, booking_id: UUID) -> Sequence[HistoryEntry]:
        """Return the history of a booking in order; empty if the booking is unknown."""
        ...

    def stored_responses(self, keys: Sequence[IdempotencyKey]) -> Sequence[bool]:
        """Return, in the order of `keys`, whether a committed response is stored under each, with any fingerprint.

        May be True for a response that is too old to be replayed: `StoredResponses.claim` decides.
        """
        ...

    def event(self, event_id: UUID) -> KnownEvent | None:
        """Return one known event; None if it is unknown."""
        ...

    def events(self, page: Page) -> Paged[KnownEvent]:
        """Return known events by start, then id."""
        ...

    def seats(self, event_id: UUID) -> SeatList:
        """Return all seats of the event in reading order; empty if there are none. An overdue hold is AVAILABLE.

        A withdrawn seat is included for as long as it has a live claim.
        """
        ...

    def seat_statuses(self, event_id: UUID, seat_ids: Collection[UUID]) -> Mapping[UUID, SeatStatus]:
        """Return the status of each of these seats, an overdue hold being AVAILABLE.

        Unknown and withdrawn seats are left out.
        """
        ...

    def open_closures(self) -> Sequence[Closure]:
        """Return the closures that are not finished, oldest first."""
        ...

    def cancellation_preview(self, event_id: UUID) -> CancellationPreview:
        """Return what is live of the event, and the payments that cancelling it would refund; zeros if unknown."""
        ...

    def backlogs(self) -> Backlogs:
        """Return the backlogs at a cost that grows with them alone, so that this may be called every few seconds."""
        ...

    def statistics(self) -> Statistics:
        """Return backlogs and numbers of bookings; reads every booking."""
        ...
