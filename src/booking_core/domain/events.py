"""The events we publish (design, section 6): frozen facts, each with its envelope and its payload.

`payload()` is the wire form: camelCase, ids as text, times as RFC 3339 in UTC with `Z`, amounts as `Decimal` with the
currency's decimals (an adapter writes them as JSON numbers). Within version 1.0 fields are only ever added.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Final
from uuid import UUID

from attrs import frozen

from booking_core.domain.identity import slot_of_booking, slot_of_event
from booking_core.domain.values import CancellationReason, Money, RefundReason

VERSION: Final = "1.0"


def rfc3339(moment: datetime) -> str:
    """The time in UTC, with `Z`, to the microsecond where there are any."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


@frozen(kw_only=True)
class DomainEvent:
    """What every event says: its own id, when it was recorded, and its number among those of the same key."""

    event_type: ClassVar[str]

    message_id: UUID
    timestamp: datetime
    correlation_id: str
    sequence: int

    @property
    def key(self) -> UUID:
        """Messages of one key stay in order: the booking's id (for `event.cancelled` the event's)."""
        raise NotImplementedError(type(self))

    @property
    def slot(self) -> int:
        """Where the key lives."""
        return slot_of_booking(self.key)

    def payload(self) -> dict[str, Any]:
        """The wire form of what happened."""
        raise NotImplementedError(type(self))

    def envelope(self) -> dict[str, Any]:
        """The whole message as it is published."""
        return {
            "eventId": str(self.message_id),
            "eventType": self.event_type,
            "timestamp": rfc3339(self.timestamp),
            "version": VERSION,
            "correlationId": self.correlation_id,
            "payload": self.payload(),
        }


@frozen(kw_only=True)
class BookingEvent(DomainEvent):
    """Something happened to one booking."""

    booking_id: UUID
    user_id: str

    @property
    def key(self) -> UUID:
        return self.booking_id


@frozen(kw_only=True)
class BookingCreated(BookingEvent):
    """FR-06: seats are held."""

    event_type = "booking.created"
    event_id: UUID
    seat_ids: tuple[UUID, ...]
    total: Money
    expires_at: datetime

    def payload(self) -> dict[str, Any]:
        return {
            "bookingId": str(self.booking_id),
            "userId": self.user_id,
            "eventId": str(self.event_id),
            "seatIds": [str(seat_id) for seat_id in self.seat_ids],
            "totalAmount": self.total.written,
            "currency": self.total.currency,
            "expiresAt": rfc3339(self.expires_at),
        }


@frozen(kw_only=True)
class BookingConfirmed(BookingEvent):
    """US-02: the seats are the customer's."""

    event_type = "booking.confirmed"
    ticket_reference: str
    confirmed_at: datetime

    def payload(self) -> dict[str, Any]:
        return {
            "bookingId": str(self.booking_id),
            "userId": self.user_id,
            "ticketReference": self.ticket_reference,
            "confirmedAt": rfc3339(self.confirmed_at),
        }


@frozen(kw_only=True)
class BookingCancelled(BookingEvent):
    """The booking has ended and its seats are free. Never for a cancelled event (its reasons are a closed set)."""

    event_type = "booking.cancelled"
    reason: CancellationReason
    released_seat_ids: tuple[UUID, ...]

    def payload(self) -> dict[str, Any]:
        return {
            "bookingId": str(self.booking_id),
            "userId": self.user_id,
            "reason": self.reason.value,
            "releasedSeatIds": [str(seat_id) for seat_id in self.released_seat_ids],
        }


@frozen(kw_only=True)
class BookingExpired(BookingCancelled):
    """FR-17: the time to pay ran out. Always followed by the `booking.cancelled` of the same booking."""

    event_type = "booking.expired"


@frozen(kw_only=True)
class RefundRequested(BookingEvent):
    """Money that was taken goes back: once per payment, ever."""

    event_type = "booking.refund_requested"
    payment_id: str
    refund: Money
    reason: RefundReason

    def payload(self) -> dict[str, Any]:
        return {
            "bookingId": str(self.booking_id),
            "userId": self.user_id,
            "paymentId": self.payment_id,
            "amount": self.refund.written,
            "currency": self.refund.currency,
            "reason": self.reason.value,
        }


@frozen(kw_only=True)
class EventCancelled(DomainEvent):
    """Spec 6.4: an event was cancelled here, and no booking of it is live any more."""

    event_type = "event.cancelled"
    event_id: UUID
    reason: str
    cancelled_at: datetime
    affected_bookings: int

    @property
    def key(self) -> UUID:
        return self.event_id

    @property
    def slot(self) -> int:
        return slot_of_event(self.event_id)

    def payload(self) -> dict[str, Any]:
        return {
            "eventId": str(self.event_id),
            "reason": self.reason,
            "cancelledAt": rfc3339(self.cancelled_at),
            "affectedBookings": self.affected_bookings,
        }


PUBLISHED: Final[Mapping[str, type[DomainEvent]]] = {
    kind.event_type: kind
    for kind in (
        BookingCreated,
        BookingConfirmed,
        BookingCancelled,
        BookingExpired,
        RefundRequested,
        EventCancelled,
    )
}
"""Every event type we publish, by its name on the wire."""
