"""One event with two seats, as values and as the Catalog Service writes them."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from booking_core.domain.values import SaleStatus, Seat, TicketedEvent

EVENT = TicketedEvent(
    event_id=UUID("0b8f1c1e-0000-4000-8000-0000000000ab"),
    name="Nabucco",
    starts_at=datetime(2031, 1, 2, 18, 0, tzinfo=UTC),
    status=SaleStatus.ON_SALE,
    currency="USD",
)
SEATS = [
    Seat(seat_id=UUID(int=10), row="A", number=1, price=Decimal("75.00")),
    Seat(seat_id=UUID(int=11), row="A", number=2, price=Decimal("0.10")),
]
EVENT_PATH = f"/api/v1/events/{EVENT.event_id}"
SEATS_PATH = f"{EVENT_PATH}/seats"


def event_json(event: TicketedEvent = EVENT, **changes: Any) -> dict[str, Any]:
    written = {
        "eventId": str(event.event_id),
        "name": event.name,
        "startsAt": event.starts_at.isoformat(),
        "status": event.status.value,
        "currency": event.currency,
    }
    return {**written, **changes}


def seat_json(seat: Seat = SEATS[0], **changes: Any) -> dict[str, Any]:
    written = {"seatId": str(seat.seat_id), "row": seat.row, "number": seat.number, "price": float(seat.price)}
    return {**written, **changes}
