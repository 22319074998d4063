"""The examples: one booking from reservation to refund, with the same ids everywhere.

The event and its seats are those of `booking dev`, so that the examples of the page can be sent to it unchanged.
"""

from typing import Any, Final

EVENT_ID: Final = "529b0e29-0882-5aa8-a8e0-84c5dd045ade"
BOOKING_ID: Final = "019b76da-a5c8-7f3e-9d41-6c0b8e2f4a17"
_SEAT_IDS: Final = ("3159ce25-4f7d-5642-8f02-f05f3b3b1610", "351229d2-f5a9-5409-b076-b65713350794")
TICKET: Final = "3XK9M2T7QA4V8C1ZB6N0DHJ5RWEP"
CORRELATION_ID: Final = "9b2f6c1e-1d7a-4e0b-8a53-7c4d2e9f0a61"

EVENT: Final[dict[str, Any]] = {
    "eventId": EVENT_ID,
    "name": "Symphony Gala, Great Hall",
    "startsAt": "2026-03-14T19:30:00Z",
    "status": "ON_SALE",
    "currency": "EUR",
}
SEATS: Final[list[dict[str, Any]]] = [
    {"seatId": _SEAT_IDS[0], "row": "13", "number": 22, "price": 95.0},
    {"seatId": _SEAT_IDS[1], "row": "13", "number": 23, "price": 95.0},
]
SEAT_MAP: Final[dict[str, Any]] = {
    "eventId": EVENT_ID,
    "currency": "EUR",
    "seats": [{**SEATS[0], "status": "HELD"}, {**SEATS[1], "status": "AVAILABLE"}],
}
LAYOUT: Final = "5f2b7c90d1e84a365f2b7c90"
COMPACT_SEAT_MAP: Final[dict[str, Any]] = {"eventId": EVENT_ID, "layout": LAYOUT, "statuses": "HA"}
ORDER: Final[dict[str, Any]] = {"eventId": EVENT_ID, "seatIds": list(_SEAT_IDS)}
PENDING: Final[dict[str, Any]] = {
    "bookingId": BOOKING_ID,
    "eventId": EVENT_ID,
    "status": "PENDING",
    "totalAmount": 190.0,
    "currency": "EUR",
    "createdAt": "2026-01-01T10:00:00.125000Z",
    "expiresAt": "2026-01-01T10:10:00.125000Z",
    "seats": SEATS,
}
CONFIRMED: Final[dict[str, Any]] = PENDING | {
    "status": "CONFIRMED",
    "processingStartedAt": "2026-01-01T10:02:11.407000Z",
    "confirmedAt": "2026-01-01T10:02:14.982000Z",
    "ticketReference": TICKET,
}
_REFUND: Final[dict[str, Any]] = {
    "paymentId": "pay_8Kq2Zt",
    "amount": 190.0,
    "currency": "EUR",
    "reason": "USER_CANCELLED",
    "status": "REQUESTED",
}
CANCELLED: Final[dict[str, Any]] = CONFIRMED | {
    "status": "CANCELLED",
    "cancelledAt": "2026-01-02T08:15:00.000310Z",
    "cancellationReason": "USER_CANCELLED",
    "refunds": [_REFUND],
    "refund": _REFUND,
}
PAGE: Final[dict[str, Any]] = {"page": 1, "limit": 10, "total": 1, "totalPages": 1}
NO_PAGE: Final = PAGE | {"total": 0, "totalPages": 0}
CLOSED: Final[dict[str, Any]] = {
    "eventId": EVENT_ID,
    "status": "CANCELLED",
    "affectedBookings": 412,
    "remaining": 412,
}
METRICS: Final = """\
# HELP booking_reservations_total Reservations asked for, by outcome
# TYPE booking_reservations_total counter
booking_reservations_total{outcome="CREATED"} 1042.0
"""


def shown(data: Any, **beside: Any) -> dict[str, Any]:
    """The envelope of a success."""
    return {"success": True, "data": data, **beside}
