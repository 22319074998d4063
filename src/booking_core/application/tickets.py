"""Tickets: show a ticket to its owner, and verify a ticket at the door. Nothing here changes a booking."""

from datetime import datetime
from enum import Enum
from uuid import UUID

from attrs import evolve, frozen

from booking_core.application.read import get_booking
from booking_core.domain.errors import TicketNotAvailable
from booking_core.domain.identity import ticket_reference_in
from booking_core.domain.lifecycle import Status
from booking_core.domain.values import CancellationReason, Seat
from booking_core.ports.reads import KnownEvent
from booking_core.ports.store import Store


class TicketStatus(Enum):
    """The validity of a ticket reference now."""

    VALID = "VALID"
    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"


@frozen(kw_only=True)
class TicketCheck:
    """The answer for the staff at the door: nothing about the customer or the payment.

    For an UNKNOWN ticket, `seats` is empty and every other field but `status` is None. `reference` is as it was issued,
    `event` as our database knows it. `seats` (of a VALID ticket) are in reading order. `reason` and
    `cancelled_at` are set for a CANCELLED ticket.
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
    """Verify the ticket that was scanned or typed; UNKNOWN if it was never one of ours.

    A ticket of an event that was cancelled here is CANCELLED at once, even if its booking has not ended yet.
    Verifying does not use a ticket up.
    """
    reference = ticket_reference_in(text)
    snapshot = None if reference is None else store.reads.booking_with_ticket(reference)
    if snapshot is None:
        return TicketCheck(status=TicketStatus.UNKNOWN)
    booking = snapshot.booking
    event = store.reads.event(booking.event_id)
    ticket = TicketCheck(
        status=TicketStatus.VALID,
        reference=booking.ticket_reference,
        booking_id=booking.booking_id,
        event_id=booking.event_id,
        event=event,
    )
    if booking.cancellation_reason is not None:
        return evolve(
            ticket,
            status=TicketStatus.CANCELLED,
            reason=booking.cancellation_reason,
            cancelled_at=booking.cancelled_at,
        )
    if event is not None and event.closed_at is not None:
        return evolve(
            ticket,
            status=TicketStatus.CANCELLED,
            reason=CancellationReason.EVENT_CANCELLED,
            cancelled_at=event.closed_at,
        )
    return evolve(ticket, seats=booking.seats, confirmed_at=booking.confirmed_at)
