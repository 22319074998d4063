"""What a reservation asks for, and all that the decision about it needs, seen under locks."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from attrs import frozen

from booking_core.domain.values import Seat, TicketedEvent


@frozen(kw_only=True)
class IdempotencyKey:
    """One key as a caller sent it. Its scope is user and operation (for HTTP: method and path).

    `fingerprint` stands for the request's content: equal content, equal fingerprint.
    """

    user_id: str
    operation: str
    key: str
    fingerprint: str


@frozen(kw_only=True)
class SeatRequest:
    """Who wants which seats. `seat_ids` is sorted and holds no seat twice."""

    user_id: str
    event_id: UUID
    seat_ids: tuple[UUID, ...]
    idempotency: IdempotencyKey | None = None


@frozen(kw_only=True)
class ReservationFacts:
    """The facts of one reservation, all of them read after the locks were held (design, "Locks").

    Until the unit of work ends, nobody else can change them in a way that would make a granted reservation wrong.
    """

    now: datetime
    """The database's clock, later than every lock."""
    event: TicketedEvent | None
    """As our database knows it; None if it does not."""
    closed: bool = False
    """The event was cancelled here: no new hold, whatever the Catalog says."""
    refreshed_at: datetime | None = None
    """When the Catalog last told us of the event; None if it came from a file and does not age."""
    wanted: tuple[UUID, ...] = ()
    seats: Mapping[UUID, Seat]
    """Those of the wanted seats that are known, with their prices under the lock."""
    known: frozenset[UUID] | None = None
    """The ids of those that are known, where nothing was locked because a seat is taken; None: those of `seats`."""
    taken: frozenset[UUID] = frozenset()
    """Those with a live claim that is committed and not overdue."""
    pending: int = 0
    """The customer's PENDING bookings whose deadline is ahead."""
