"""A store in memory with one hall, on a clock that the test turns, and parts that can be told to fail."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from attrs import define, field

from booking_core.application import reserve
from booking_core.domain.booking import Booking
from booking_core.domain.commands import Reserve
from booking_core.domain.errors import BookingError
from booking_core.domain.values import SaleStatus, Seat, TicketedEvent
from booking_core.ports.event_bus import Delivery, Message
from booking_memory.bus import MemoryEventBus
from booking_memory.store import MemoryStore
from booking_service.catalog_file import LoadedEvent, load_event
from booking_service.composition import AdapterFactory, Composition
from booking_service.settings import Settings

EVENT_ID = UUID("018f2b6a-7c1d-7e3a-9b4c-5d6e7f809101")
START = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)


def seat_id(number: int) -> UUID:
    return UUID(int=number)


HALL = LoadedEvent(
    TicketedEvent(
        event_id=EVENT_ID,
        name="A concert",
        starts_at=START + timedelta(days=40),
        status=SaleStatus.ON_SALE,
        currency="USD",
    ),
    [Seat(seat_id=seat_id(number), row="A", number=number, price=Decimal("75.00")) for number in range(1, 21)],
)


@define
class World:
    """`later` turns the clock. `find` is how a composition finds these parts."""

    now: datetime = START
    store: MemoryStore = field(init=False)
    bus: MemoryEventBus = field(factory=MemoryEventBus)

    def __attrs_post_init__(self) -> None:
        self.store = MemoryStore(clock=lambda: self.now)
        load_event(HALL, store=self.store)

    def later(self, minutes: float) -> None:
        self.now += timedelta(minutes=minutes)

    def reserve(self, *numbers: int, user: str = "ann") -> Booking:
        seats = tuple(map(seat_id, numbers))
        command = Reserve(user_id=user, event_id=EVENT_ID, seat_ids=seats, correlation_id=f"corr-{numbers[0]}")
        return reserve(command, store=self.store)

    def find(self, group: str, name: str) -> AdapterFactory:
        part: Any = {"booking.store": self.store, "booking.event_bus": self.bus}[group]
        return lambda settings: part

    def compose(self, settings: Settings) -> Composition:
        return Composition(settings, find=self.find)

    def read(self, topic: str, group: str = "reader") -> Sequence[Delivery]:
        """Everything that is in the topic and was not read by that group before."""
        subscription = self.bus.subscribe(topic, group)
        found = subscription.poll(0)
        subscription.commit()
        subscription.close()
        return found


def payment(booking_id: UUID, event_type: str = "payment.success", number: int = 1, **payload: object) -> bytes:
    envelope: Mapping[str, object] = {
        "eventId": str(UUID(int=1000 + number)),
        "eventType": event_type,
        "timestamp": "2026-03-01T10:00:00Z",
        "version": "1.0",
        "correlationId": "corr-payment",
        "payload": {
            "bookingId": str(booking_id),
            "paymentId": "pay-1",
            "amount": 150.0,
            "currency": "USD",
            "reason": "",
            **payload,
        },
    }
    return json.dumps(envelope).encode()


class FailingBus(MemoryEventBus):
    """Raises what it is told to, once for each."""

    def __init__(self) -> None:
        super().__init__()
        self.failures: list[BookingError] = []

    def publish(self, topic: str, messages: Sequence[Message]) -> None:
        if self.failures:
            raise self.failures.pop()
        super().publish(topic, messages)
