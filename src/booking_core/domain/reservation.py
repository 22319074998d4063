"""What a reservation asks for, and the facts, read under locks, that decide it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from attrs import field, frozen

from booking_core.domain.errors import InvalidValue
from booking_core.domain.values import Seat, TicketedEvent, is_text

# PostgreSQL keeps at most 2,704 bytes of a row in an index.
MAX_KEY_BYTES: Final = 2600


@frozen(kw_only=True)
class IdempotencyKey:
    """An idempotency key as the caller sent it. Its scope is user and operation (for HTTP: method and path).

    `fingerprint` stands for the request's content: equal content, equal fingerprint. Raises InvalidValue for a text
    that no store can keep.
    """

    user_id: str = field(validator=is_text)
    operation: str = field(validator=is_text)
    key: str = field(validator=is_text)
    fingerprint: str = field(validator=is_text)

    def __attrs_post_init__(self) -> None:
        if len(f"{self.user_id}{self.operation}{self.key}".encode()) > MAX_KEY_BYTES:
            raise InvalidValue("key", f"must have at most {MAX_KEY_BYTES} bytes together with user and operation")


@frozen(kw_only=True)
class StoredResponse:
    """The response that an earlier request with the same idempotency key received."""

    text: str


@frozen(kw_only=True)
class SeatRequest:
    """The seats that a user wants. `seat_ids` is sorted and names no seat twice."""

    user_id: str
    event_id: UUID
    seat_ids: tuple[UUID, ...]
    idempotency: IdempotencyKey | None = None


@frozen(kw_only=True)
class ReservationFacts:
    """The facts of one reservation, all read after the locks were acquired (design, "Locks").

    Until the unit of work ends, no other transaction can change them so that a granted reservation would be wrong.
    """

    now: datetime
    """The database's clock, later than every lock."""
    event: TicketedEvent | None
    """The event as our database knows it; None if it is unknown."""
    closed: bool = False
    """True if the event was cancelled here: no new hold, whatever the Catalog says."""
    refreshed_at: datetime | None = None
    """When the event was last fetched from the Catalog; None if it was loaded from a file and does not age."""
    wanted: tuple[UUID, ...] = ()
    seats: Mapping[UUID, Seat]
    """The wanted seats that are known, with their prices under the lock."""
    known: frozenset[UUID] | None = None
    """The ids of the known seats, if nothing was locked because a seat is taken; None: the ids of `seats`."""
    taken: frozenset[UUID] = frozenset()
    """The wanted seats with a live claim that is committed and not overdue."""
    pending: int = 0
    """The customer's PENDING bookings whose deadline is ahead."""
