"""How bookings, events and seats look in JSON (design, section 5). Keys that do not apply are left out."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from operator import itemgetter
from typing import Any
from uuid import UUID

from msgspec import Struct

from booking_core import Booking, Money, Payment, SeatMap
from booking_core.domain.values import SaleStatus, SeatStatus, written_in
from booking_core.ports import KnownEvent, Page


def utc(moment: datetime) -> datetime:
    """The same moment with UTC for its zone, which the envelope writes as `Z`."""
    return moment.astimezone(UTC)


def booking_json(booking: Booking) -> dict[str, Any]:
    """A booking as its owner sees it. `seats` are sorted by id, `refunds` by when they were asked for."""
    currency = booking.total.currency
    written: dict[str, Any] = {
        "bookingId": booking.booking_id,
        "eventId": booking.event_id,
        "status": booking.status.value,
        "totalAmount": booking.total.written,
        "currency": currency,
        "createdAt": utc(booking.created_at),
        "expiresAt": utc(booking.expires_at),
        "seats": [
            {
                "seatId": seat.seat_id,
                "row": seat.row,
                "number": seat.number,
                "price": written_in(seat.price, currency),
            }
            for seat in booking.seats
        ],
    }
    if booking.processing_started_at is not None:
        written["processingStartedAt"] = utc(booking.processing_started_at)
    if booking.confirmed_at is not None:
        written["confirmedAt"] = utc(booking.confirmed_at)
    if booking.ticket_reference is not None:
        written["ticketReference"] = booking.ticket_reference
    if booking.cancelled_at is not None:
        written["cancelledAt"] = utc(booking.cancelled_at)
    if booking.cancellation_reason is not None:
        written["cancellationReason"] = booking.cancellation_reason.value
    if booking.payments:
        written |= _refunds(booking)
    return written


def _refunds(booking: Booking) -> dict[str, Any]:
    asked = sorted(
        (
            (payment.refund_requested_at or payment.recorded_at, payment.payment_id, _refund(payment, booking.total))
            for payment in booking.payments.values()
            if payment.refund_reason is not None
        ),
        key=itemgetter(0, 1),
    )
    if not asked:
        return {}
    refunds = [refund for _, _, refund in asked]
    confirming = (refund for refund in refunds if refund["paymentId"] == booking.confirmed_by)
    return {"refunds": refunds, "refund": next(confirming, refunds[-1])}


def _refund(payment: Payment, total: Money) -> dict[str, Any]:
    currency = payment.currency or total.currency
    return {
        "paymentId": payment.payment_id,
        "amount": written_in(payment.amount or total.amount * 0, currency),
        "currency": currency,
        "reason": payment.refund_reason.value if payment.refund_reason else None,
        "status": payment.refund_status.value if payment.refund_status else None,
    }


def event_json(known: KnownEvent) -> dict[str, Any]:
    """An event as everybody sees it; one that was cancelled here is CANCELLED, whatever the Catalog says."""
    event = known.event
    return {
        "eventId": event.event_id,
        "name": event.name,
        "startsAt": utc(event.starts_at),
        "status": (SaleStatus.CANCELLED if known.closed else event.status).value,
        "currency": event.currency,
    }


class _SeatJson(Struct, rename="camel", gc=False):
    """One of thousands in an answer: dicts would take several times as long to make."""

    seat_id: UUID
    row: str
    number: int
    price: Decimal
    status: SeatStatus


def seat_map_json(seat_map: SeatMap) -> dict[str, Any]:
    """All seats of an event, by row, number and id, and whether they can be had; never who holds one."""
    event = seat_map.event.event
    prices: dict[Decimal, Decimal] = {}
    seats = []
    for entry in seat_map.seats:
        seat = entry.seat
        price = prices.get(seat.price)
        if price is None:
            price = prices[seat.price] = written_in(seat.price, event.currency)
        seats.append(_SeatJson(seat.seat_id, seat.row, seat.number, price, entry.status))
    return {"eventId": event.event_id, "currency": event.currency, "seats": seats}


def pagination_json(page: Page, total: int) -> Mapping[str, int]:
    """Where a page stands in its list; no pages at all when the list is empty."""
    return {"page": page.number, "limit": page.limit, "total": total, "totalPages": -(-total // page.limit)}
