"""Tickets: showing one to its owner, and telling at the door whether one is good. Nothing here changes a booking."""

from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from attrs import frozen

from booking_core.application.read import get_booking
from booking_core.domain.booking import Booking
from booking_core.domain.errors import TicketNotAvailable
from booking_core.domain.identity import ticket_reference_in
from booking_core.domain.lifecycle import Status
from booking_core.domain.values import CancellationReason, Seat
from booking_core.ports.reads import KnownEvent
from booking_core.ports.store import Store


class TicketStatus(Enum):
    """What a ticket reference is worth now."""

    VALID = "VALID"
    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"


@frozen(kw_only=True)
class TicketCheck:
    """What whoever stands at the door may know: nothing of who booked, nor of what was paid.

    All but `status` is None, and `seats` empty, for an UNKNOWN ticket. `reference` is as it was given out, `event` as
    our database knows it. `seats` (of a VALID one) are sorted by row, number and id. `reason` and `cancelled_at` are
    there for a CANCELLED one.
    """

    status: TicketStatus
    reference: str | None = None
    booking_id: UUID | None = None
    event_id: UUID | None = None
    event: KnownEvent | None = None
    seats: tuple[Seat, ...] = ()
    confirmed_at: datetime | None = None
    reason: CancellationReason | None = None
    cancelled_at: datetime | None = None


def get_ticket(user_id: str, booking_id: UUID, *, store: Store) -> str:
    """The ticket reference of this user's confirmed booking (FR-10). Raises BookingNotFound, TicketNotAvailable."""
    booking = get_booking(user_id, booking_id, store=store)
    # A booking that was cancelled after it was confirmed keeps its reference, but not the right to enter.
    if booking.status is not Status.CONFIRMED or booking.ticket_reference is None:
        raise TicketNotAvailable(details={"status": booking.status.value})
    return booking.ticket_reference


def verify_ticket(text: str, *, store: Store) -> TicketCheck:
    """Whether the ticket that somebody has scanned or typed is good now; UNKNOWN if it was never one of ours.

    A ticket of an event that was cancelled here is CANCELLED from that moment on, whether its booking has been ended
    yet or not. Asking does not use a ticket up.
    """
    reference = ticket_reference_in(text)
    snapshot = None if reference is None else store.reads.booking_with_ticket(reference)
    if snapshot is None:
        return TicketCheck(status=TicketStatus.UNKNOWN)
    booking = snapshot.booking
    event = store.reads.event(booking.event_id)
    known = _known_of(booking, event)
    if booking.cancellation_reason is not None:
        return TicketCheck(
            status=TicketStatus.CANCELLED,
            reason=booking.cancellation_reason,
            cancelled_at=booking.cancelled_at,
            **known,
        )
    if event is not None and event.closed_at is not None:
        return TicketCheck(
            status=TicketStatus.CANCELLED,
            reason=CancellationReason.EVENT_CANCELLED,
            cancelled_at=event.closed_at,
            **known,
        )
    seats = tuple(sorted(booking.seats, key=lambda seat: (seat.row, seat.number, seat.seat_id)))
    return TicketCheck(status=TicketStatus.VALID, seats=seats, confirmed_at=booking.confirmed_at, **known)


def _known_of(booking: Booking, event: KnownEvent | None) -> dict[str, Any]:
    return {
        "reference": booking.ticket_reference,
        "booking_id": booking.booking_id,
        "event_id": booking.event_id,
        "event": event,
    }
