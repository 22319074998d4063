"""Domain events: frozen facts that a change records and the relay publishes.

`booking_core.messages.envelopes` gives each its name and its form on the wire.
"""

from datetime import datetime
from typing import TypedDict
from uuid import UUID

from attrs import frozen

from booking_core.domain.values import CancellationReason, Money, RefundReason


@frozen(kw_only=True)
class DomainEvent:
    """The fields of every event: its own id, the time of recording, and its number among the events of one key."""

    message_id: UUID
    timestamp: datetime
    correlation_id: str
    sequence: int


@frozen(kw_only=True)
class BookingEvent(DomainEvent):
    """Something happened to one booking."""

    booking_id: UUID
    user_id: str


@frozen(kw_only=True)
class BookingCreated(BookingEvent):
    """FR-06: seats are held."""

    event_id: UUID
    seat_ids: tuple[UUID, ...]
    total: Money
    expires_at: datetime


@frozen(kw_only=True)
class BookingConfirmed(BookingEvent):
    """US-02: the customer owns the seats."""

    ticket_reference: str
    confirmed_at: datetime


@frozen(kw_only=True)
class BookingCancelled(BookingEvent):
    """The booking has ended and its seats are free. Not for a cancelled event: its reasons are a closed set."""

    reason: CancellationReason
    released_seat_ids: tuple[UUID, ...]


@frozen(kw_only=True)
class BookingExpired(BookingCancelled):
    """FR-17: the hold has expired. The `BookingCancelled` of the same booking always follows."""


@frozen(kw_only=True)
class RefundRequested(BookingEvent):
    """A payment that was taken is to be refunded: once per payment, ever."""

    payment_id: str
    refund: Money
    reason: RefundReason


@frozen(kw_only=True)
class EventCancelled(DomainEvent):
    """Spec 6.4: an event was cancelled here, and none of its bookings is live any more."""

    event_id: UUID
    reason: str
    cancelled_at: datetime
    affected_bookings: int


class EventHeader(TypedDict):
    """The fields that every event of a booking has."""

    message_id: UUID
    timestamp: datetime
    correlation_id: str
    sequence: int
    booking_id: UUID
    user_id: str
