"""What the Payment Service may say of one booking, and what must become of the booking then.

The second half knows nothing of the product: the table of the design, told once more in a few lines.
"""

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from random import Random
from typing import Any, Final
from uuid import UUID

from attrs import define, field

from booking_core.domain.booking import Booking
from booking_core.ports import Message

_RIGHT: Final = "75.00"
_WRONG: Final = "74.99"
_LONGEST: Final = 5
_WORDS: Final = ("payment.processing", "payment.success", "payment.success", "payment.failed")


def message(
    booking_id: UUID, event_type: str, message_id: UUID, *, payment_id: str = "p1", amount: str = _RIGHT
) -> Message:
    """One word."""
    payload: dict[str, Any] = {"bookingId": str(booking_id), "paymentId": payment_id}
    if event_type == "payment.success":
        payload |= {"amount": float(amount), "currency": "USD"}
    elif event_type == "payment.failed":
        payload |= {"reason": "card declined"}
    envelope = {
        "eventId": str(message_id),
        "eventType": event_type,
        "timestamp": "2026-03-01T10:00:00Z",
        "version": "1.0",
        "correlationId": "chaos",
        "payload": payload,
    }
    return Message(key=str(booking_id).encode(), value=json.dumps(envelope).encode())


def story_of(booking: Booking, chance: Random) -> list[Message]:
    """Up to five words in an order that makes sense or not: repeats, second payments, wrong amounts among them."""
    story: list[Message] = []
    for _ in range(chance.randint(0, _LONGEST)):
        if story and chance.random() < 0.25:
            story.append(chance.choice(story))
            continue
        made = UUID(int=chance.getrandbits(128), version=4)
        payment_id = "p1" if chance.random() < 0.75 else "p2"
        amount = _RIGHT if chance.random() < 0.85 else _WRONG
        story.append(message(booking.booking_id, chance.choice(_WORDS), made, payment_id=payment_id, amount=amount))
    return story


@define
class Outcome:
    """What a booking must be after a story; `refunds` has the reason for each payment that is asked back."""

    status: str = "PENDING"
    confirmed_by: str | None = None
    taken: set[str] = field(factory=set)
    refunds: dict[str, str] = field(factory=dict)

    def hear(self, word: Mapping[str, Any]) -> None:
        """The next word of the story."""
        payment_id, lives = word["payload"]["paymentId"], self.status in ("PENDING", "PROCESSING")
        if payment_id in self.taken:
            return
        if word["eventType"] == "payment.processing" and self.status == "PENDING":
            self.status = "PROCESSING"
        elif word["eventType"] == "payment.failed" and lives:
            self.status = "CANCELLED"
        elif word["eventType"] == "payment.success":
            self.taken.add(payment_id)
            if self.status == "CANCELLED":
                self.refunds[payment_id] = "LATE_PAYMENT"
            elif self.status == "CONFIRMED":
                self.refunds[payment_id] = "DUPLICATE_PAYMENT"
            elif Decimal(str(word["payload"]["amount"])) != Decimal(_RIGHT):
                self.refunds[payment_id] = "AMOUNT_MISMATCH"
            else:
                self.status, self.confirmed_by = "CONFIRMED", payment_id


def outcome_of(words: Iterable[Mapping[str, Any]], *, given_back: bool) -> Outcome:
    """What becomes of a booking of which this was said, in this order; a word that is repeated counts once."""
    outcome = Outcome(status="CANCELLED" if given_back else "PENDING")
    heard: set[str] = set()
    for word in words:
        if word["eventId"] not in heard:
            heard.add(word["eventId"])
            outcome.hear(word)
    return outcome
