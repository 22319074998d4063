"""Look-ups for operators: bookings of any customer, by what a caller can name, and all of them in pages."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from attrs import frozen

from booking_core.domain.booking import Booking
from booking_core.domain.lifecycle import Status
from booking_core.ports.reads import Page, Paged


@frozen(kw_only=True)
class SeatPlace:
    """One place of an event, as it is printed on a ticket: `row` is compared character by character."""

    event_id: UUID
    row: str
    number: int


@frozen(kw_only=True)
class BookingSelection:
    """A filter for bookings; a field that is not set matches every booking, and all that are set must match.

    `seat` matches every booking that has or had the place, `payment_id` every booking that a payment with this id was
    reported for, `correlation_id` every booking that a request or message with this id changed. `status` is effective.
    `since` is the earliest time of reserving.
    """

    user_id: str | None = None
    event_id: UUID | None = None
    seat: SeatPlace | None = None
    payment_id: str | None = None
    ticket_reference: str | None = None
    correlation_id: str | None = None
    status: Status | None = None
    since: datetime | None = None


class OperatorReads(Protocol):
    """Look-ups for operators, without locks: each by an index, except a selection by `status` or `since` alone.

    Every booking returned is the caller's own copy, settled for the moment of reading. Every call is bounded in time
    and raises ServiceBusy when the store cannot answer. Safe to use from many threads.
    """

    def find(self, selection: BookingSelection, page: Page) -> Paged[Booking]:
        """Return the bookings that match, newest first (by creation, then id)."""
        ...

    def following(self, selection: BookingSelection, after: Booking | None, limit: int) -> Sequence[Booking]:
        """Return up to `limit` bookings that match, in one fixed order, beginning behind `after` (None: the first).

        Those of one `event_id` are in the order of reserving. Called again with the last booking, until
        the result is empty, it returns each booking that exists during all calls exactly once, as it is at its call.
        """
        ...
