"""Reading without changing: no locks, no writes, each answer of one moment of the database's clock."""

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
    """Which part of a list: pages count from 1. Raises InvalidValue for what no list can have."""

    number: int = field(default=1, validator=_is_countable)
    limit: int = field(default=10, validator=_is_countable)

    @property
    def offset(self) -> int:
        """How many entries come before it."""
        return (self.number - 1) * self.limit


@frozen(kw_only=True)
class Paged(Generic[T]):
    """One page of a list, and how many entries the whole list has."""

    items: Sequence[T]
    total: int


@frozen(kw_only=True)
class Snapshot:
    """A booking as it is at `now`: effective status, an overdue hold shown as CANCELLED/EXPIRED."""

    booking: Booking
    now: datetime


@frozen(kw_only=True)
class KnownEvent:
    """An event as our database knows it, and how fresh that is.

    `age_seconds` is None for events that do not age (loaded from a file). `complete`: all its seats are known.
    """

    event: TicketedEvent
    closed: bool
    complete: bool
    age_seconds: float | None


@frozen(kw_only=True)
class SeatOnMap:
    """A seat and what everybody may know of it."""

    seat: Seat
    status: SeatStatus


@frozen(kw_only=True)
class Backlogs:
    """What waits, and for how long: ages in seconds, None where there is nothing.

    `holds`: bookings whose deadline is ahead; `ending_soon`: those with a deadline within 60 s. `unanswered_refunds`:
    asked for more than an hour ago, while the age is that of the oldest one without an answer, however young.
    `open_closures`: cancelled events whose bookings may not all be cancelled yet; the age counts from the closing.
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
    """The state of the whole, for operators: every booking is counted by its effective status."""

    by_status: Mapping[Status, int]


@frozen(kw_only=True)
class CancellationPreview:
    """What cancelling an event would do (or what is left to do): refunds as (sum, count) by currency."""

    bookings: int
    seats: int
    refunds: Mapping[str, tuple[Decimal, int]] = field(factory=dict)


class Queries(Protocol):
    """Reads. Every booking handed out is the caller's own copy, settled for the moment of reading."""

    def now(self) -> datetime:
        """The database's clock, in UTC."""
        ...

    def booking(self, booking_id: UUID) -> Snapshot | None:
        """One booking, payments included; None if there is none."""
        ...

    def booking_with_ticket(self, reference: str) -> Snapshot | None:
        """The booking that was given this ticket reference, whatever has become of it; None if there is none.

        `reference` is compared character by character; any text may be asked for.
        """
        ...

    def bookings_of(self, user_id: str, status: Status | None, page: Page) -> Paged[Booking]:
        """The user's bookings, newest first (by creation, then id); filter and total by effective status."""
        ...

    def history(self, booking_id: UUID) -> Sequence[HistoryEntry]:
        """Everything that happened to it, in order; empty if there is no such booking."""
        ...

    def stored_responses(self, keys: Sequence[IdempotencyKey]) -> Sequence[bool]:
        """For each key, in their order, whether an answer is kept under it, to whatever request (fingerprint).

        May say so, too, of an answer that has outlived its time.
        """
        ...

    def event(self, event_id: UUID) -> KnownEvent | None:
        """One known event."""
        ...

    def events(self, page: Page) -> Paged[KnownEvent]:
        """Known events, by start and then id."""
        ...

    def seats(self, event_id: UUID) -> Sequence[SeatOnMap]:
        """All seats of the event, by row, number and id; empty if there are none. An overdue hold is AVAILABLE.

        A withdrawn seat is shown for as long as it has a live claim. The same tuple twice says that nothing has
        changed in between; other sequences say nothing.
        """
        ...

    def seat_statuses(self, event_id: UUID, seat_ids: Collection[UUID]) -> Mapping[UUID, SeatStatus]:
        """The status of each of these seats, an overdue hold being AVAILABLE; none of a seat unknown or withdrawn."""
        ...

    def open_closures(self) -> Sequence[Closure]:
        """Events closed here whose bookings may not all be cancelled yet, oldest first."""
        ...

    def closure(self, event_id: UUID) -> Closure | None:
        """How the event was closed here; None if it was not."""
        ...

    def cancellation_preview(self, event_id: UUID) -> CancellationPreview:
        """What is live of this event now, and the payments that cancelling it would refund."""
        ...

    def backlogs(self) -> Backlogs:
        """What waits, at a cost that grows with it alone: may be asked every few seconds."""
        ...

    def statistics(self) -> Statistics:
        """Counts and ages of everything an operator watches; looks at every booking there is."""
        ...
