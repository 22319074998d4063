"""Bookings as commands print them: the JSON object of one, with its event and its user."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from booking_core.domain.booking import Booking
from booking_core.domain.values import TicketedEvent
from booking_core.ports import Store

Events = Mapping[UUID, TicketedEvent]
"""Known events by id."""


def events_of(bookings: Iterable[Booking], store: Store) -> Events:
    """Read the events of the bookings; those that are unknown are left out."""
    known = (store.reads.event(event_id) for event_id in {booking.event_id for booking in bookings})
    return {each.event.event_id: each.event for each in known if each is not None}


def booking_object(booking: Booking, events: Events) -> dict[str, Any]:
    """The booking as the API renders it, with its event, user and correlation id."""
    from booking_api.http.bodies import booking_json

    event = events.get(booking.event_id)
    named = {} if event is None else {"eventName": event.name, "eventStartsAt": event.starts_at}
    fields = booking_json(booking)
    first = {"bookingId": fields.pop("bookingId"), "eventId": fields.pop("eventId"), **named}
    return {**first, **fields, "userId": booking.user_id, "correlationId": booking.correlation_id}


def seats_of(booking: Booking) -> str:
    """The seats as people read them, like `A 1, A 2`."""
    return ", ".join(f"{seat.row} {seat.number}" for seat in booking.seats)
