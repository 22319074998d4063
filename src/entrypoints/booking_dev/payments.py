"""Simulated Payment Service for `booking dev`: publishes payment events on request, and answers refunds.

Its messages are those of the real one (design, section 6): on the payments topic, keyed by booking id.
"""

import time
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final
from uuid import UUID, uuid4

import msgspec
from attrs import field, frozen

from booking_core.domain.booking import Booking
from booking_core.domain.errors import BookingNotFound
from booking_core.messages.envelopes import VERSION, rfc3339
from booking_core.ports.event_bus import EventBus, Message, Subscription
from booking_core.ports.store import Store
from booking_workers.jobs import ShouldContinue, always

_GROUP: Final = "dev-payment-service"
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")


class SimulatedOutcome(Enum):
    """Outcome of a simulated payment; the value is the last word of its event type."""

    SUCCESS = "success"
    FAILED = "failed"
    PROCESSING = "processing"


@frozen(kw_only=True)
class SimulatedPayment:
    """Payment to simulate. Amount and currency default to those of the booking.

    `payment_id` defaults to one per booking: a second call repeats the same payment, as a repeated callback does.
    """

    booking_id: UUID
    outcome: SimulatedOutcome
    amount: Decimal | None = None
    currency: str | None = None
    payment_id: str | None = None
    correlation_id: str = field(factory=lambda: str(uuid4()))


@frozen
class PaymentSimulator:
    """Publisher of `payment.*` events on `topic`."""

    store: Store
    bus: EventBus
    topic: str

    def pay(self, payment: SimulatedPayment) -> str:
        """Publish the payment's event; return the payment's id. The consumer validates it. Raises BookingNotFound."""
        snapshot = self.store.reads.booking(payment.booking_id)
        if snapshot is None:
            raise BookingNotFound()
        payment_id = payment.payment_id or f"pay-{payment.booking_id}"
        payload = {"bookingId": str(payment.booking_id), "paymentId": payment_id}
        payload |= _facts(payment, snapshot.booking)
        event_type = f"payment.{payment.outcome.value}"
        self.bus.publish(self.topic, [_message(event_type, payload, payment.correlation_id)])
        return payment_id


class RefundSimulator:
    """Job that answers each `booking.refund_requested` with `refund.completed` after a delay."""

    name = "dev-refunds"
    idle_seconds = 0.0

    def __init__(
        self,
        bus: EventBus,
        *,
        events_topic: str,
        payments_topic: str,
        after_seconds: float = 1.0,
        poll_seconds: float = 0.2,
    ) -> None:
        self._bus, self._events_topic, self._payments_topic = bus, events_topic, payments_topic
        self._after_seconds = after_seconds  # long enough to show the refund as REQUESTED
        self._poll_seconds = poll_seconds
        self._subscription: Subscription | None = None
        self._answers: deque[tuple[float, Message]] = deque()

    def run_once(self, should_continue: ShouldContinue = always) -> bool:
        """Poll for refund requests, and publish the answers that are due. Returns True: there is no idle pause."""
        if self._subscription is None:
            self._subscription = self._bus.subscribe(self._events_topic, _GROUP)
        for delivery in self._subscription.poll(self._poll_seconds):
            envelope = msgspec.json.decode(delivery.value or b"")
            if envelope["eventType"] == "booking.refund_requested":
                self._answers.append((time.monotonic() + self._after_seconds, _refund_completed(envelope)))
        self._subscription.commit()
        while self._answers and self._answers[0][0] <= time.monotonic():
            self._bus.publish(self._payments_topic, [self._answers[0][1]])
            self._answers.popleft()
        return True

    def close(self) -> None:
        """Close the subscription."""
        if self._subscription is not None:
            self._subscription.close()
            self._subscription = None


def _facts(payment: SimulatedPayment, booking: Booking) -> Mapping[str, Any]:
    if payment.outcome is SimulatedOutcome.PROCESSING:
        return {}
    if payment.outcome is SimulatedOutcome.FAILED:
        return {"reason": "the simulated card was declined"}
    amount = booking.total.written if payment.amount is None else payment.amount
    return {"amount": amount, "currency": payment.currency or booking.total.currency}


def _refund_completed(request: Mapping[str, Any]) -> Message:
    payload = {name: request["payload"][name] for name in ("bookingId", "paymentId")}
    return _message("refund.completed", payload, request["correlationId"])


def _message(event_type: str, payload: Mapping[str, Any], correlation_id: str) -> Message:
    envelope = {
        "eventId": str(uuid4()),
        "eventType": event_type,
        "timestamp": rfc3339(datetime.now(UTC)),
        "version": VERSION,
        "correlationId": correlation_id,
        "payload": payload,
    }
    return Message(key=payload["bookingId"].encode(), value=_ENCODER.encode(envelope))
