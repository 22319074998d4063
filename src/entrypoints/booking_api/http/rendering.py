"""The JSON of responses: the envelope (spec, section 7), bookings, events, seat maps (design, section 5).

Times are written in UTC with `Z`, ids in lower case, and money as JSON numbers with all the currency's decimals. Keys
that do not apply are left out. Without Flask: commands print the same JSON.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from operator import itemgetter
from threading import Lock
from typing import Any, Final
from uuid import UUID

from attrs import define, field
from cachetools import LRUCache
from msgspec import Struct
from msgspec.json import Encoder

from booking_core import Booking, Money, Payment, SeatMap
from booking_core.domain.values import SaleStatus, SeatStatus, written_in
from booking_core.ports import KnownEvent, Page

_ENCODER: Final = Encoder(decimal_format="number")
_Key = tuple[UUID, str]
_Encoded = tuple[int, bytes]


def success_body(data: Any, **beside: Any) -> bytes:
    """The body of a success, in UTF-8: `{"success": true, "data": …}`; `beside` stands next to `data`."""
    return _ENCODER.encode({"success": True, "data": data, **beside})


def failure_body(code: str, message: str, details: Mapping[str, Any] | None = None) -> bytes:
    """The body of a failure, in UTF-8: `{"success": false, "error": …}`; without details `{}` stands for them."""
    return _ENCODER.encode({"success": False, "error": {"code": code, "message": message, "details": details or {}}})


def utc(moment: datetime) -> datetime:
    """The same moment in UTC, which the encoder writes as `Z`."""
    return moment.astimezone(UTC)


def booking_json(booking: Booking) -> dict[str, Any]:
    """A booking as its owner sees it. `seats` are sorted by id, `refunds` by the time of the request."""
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
    """An event; CANCELLED if it was cancelled in this service, whatever the Catalog says."""
    event = known.event
    return {
        "eventId": event.event_id,
        "name": event.name,
        "startsAt": utc(event.starts_at),
        "status": (SaleStatus.CANCELLED if known.closed else event.status).value,
        "currency": event.currency,
    }


class _SeatJson(Struct, rename="camel", gc=False):
    """One of thousands in a response: creating dicts takes several times as long."""

    seat_id: UUID
    row: str
    number: int
    price: Decimal
    status: SeatStatus


def seat_map_json(seat_map: SeatMap) -> dict[str, Any]:
    """All seats of an event, by row, number and id, with their statuses; never who holds one."""
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
    """The position of a page in its list; 0 pages if the list is empty."""
    return {"page": page.number, "limit": page.limit, "total": total, "totalPages": -(-total // page.limit)}


@define(eq=False)
class SeatMapCache:
    """The bodies of seat maps, hundreds of kilobytes each, encoded again only when a map has changed.

    Keeps the bodies of the events requested last, `most_bytes` in all. Safe to use from many threads. No body is stale:
    the caller has read the map just now, and a body is used only for the version of the map that it was encoded from.
    A map without a version is encoded every time.
    """

    most_bytes: int = 8 * 2**20
    encode: Callable[[SeatMap], bytes] = lambda seat_map: success_body(seat_map_json(seat_map))
    _bodies: "LRUCache[_Key, _Encoded]" = field(init=False)
    _lock: Lock = field(factory=Lock, init=False)

    def __attrs_post_init__(self) -> None:
        self._bodies = LRUCache(self.most_bytes, getsizeof=lambda encoded: len(encoded[1]))

    def body(self, seat_map: SeatMap) -> bytes:
        """The whole body of the response."""
        event, version = seat_map.event.event, seat_map.version
        if version is None:
            return self.encode(seat_map)
        key = event.event_id, event.currency
        with self._lock:
            cached = self._bodies.get(key)
        if cached is not None and cached[0] == version:
            return cached[1]
        body = self.encode(seat_map)
        with self._lock:
            self._bodies.pop(key, None)
            if len(body) <= self.most_bytes:
                self._bodies[key] = version, body
        return body
