"""Every event that the use cases can say keeps its schema, and so does every message that we simulate."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from jsonschema import Draft202012Validator

from booking_core.application import Effect, apply_payments, cancel, cancel_event, expire
from booking_core.domain.booking import Booking
from booking_core.domain.commands import CancelBooking, CancelEvent
from booking_core.domain.values import RefundReason, Terms
from booking_core.messages.envelopes import PUBLISHED
from booking_core.messages.payment_messages import CONSUMED, Skipped, parse
from booking_dev.payments import PaymentSimulator, RefundSimulator, SimulatedOutcome, SimulatedPayment
from booking_workers.relay import Relay
from tests.support.workers import EVENT_ID, World, payment

SCHEMAS = Path(__file__).parents[2] / "docs" / "events"


def schema_of(event_type: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((SCHEMAS / f"{event_type}.json").read_text(encoding="utf-8"))
    return schema


def validator(event_type: str) -> Draft202012Validator:
    return Draft202012Validator(schema_of(event_type), format_checker=Draft202012Validator.FORMAT_CHECKER)


class Story:
    """What happens to bookings, one word for each; each payment message has an id of its own."""

    def __init__(self) -> None:
        self.world = World()
        self._number = 0

    def hear(self, booking: Booking, event_type: str = "payment.success", **payload: Any) -> None:
        self._number += 1
        amount = float(booking.total.amount)
        value = payment(booking.booking_id, event_type, self._number, **{"amount": amount, **payload})
        command = parse(value)
        assert not isinstance(command, Skipped)
        assert apply_payments([command], store=self.world.store, terms=Terms()) == [Effect.CHANGED]

    def give_back(self, booking: Booking) -> None:
        command = CancelBooking(user_id=booking.user_id, booking_id=booking.booking_id, correlation_id=str(uuid4()))
        cancel(command, store=self.world.store)

    def said(self) -> list[dict[str, Any]]:
        return [json.loads(record.body) for record in self.world.store.outbox.everything()]


@pytest.fixture(scope="module")
def said() -> list[dict[str, Any]]:
    """Everything that is said while all that can happen to bookings happens."""
    story = Story()
    world = story.world
    paid = world.reserve(1, 2, user="paid")
    story.hear(paid, "payment.processing")
    story.hear(paid)
    story.hear(paid, paymentId="pay-2")  # DUPLICATE_PAYMENT
    story.hear(paid, "refund.failed", paymentId="pay-2")
    story.hear(paid, "refund.completed", paymentId="pay-2")
    story.give_back(paid)  # USER_CANCELLED, with a refund
    short = world.reserve(3, user="short")
    story.hear(short, amount=1)  # AMOUNT_MISMATCH
    story.hear(short, "payment.failed", paymentId="pay-2")
    story.hear(short, paymentId="pay-3")  # LATE_PAYMENT
    unpaid = world.reserve(*range(5, 15), user="x" * 255)
    story.give_back(unpaid)
    world.reserve(4, user="late")
    world.later(11)
    expire(store=world.store)
    kept = world.reserve(15, user="kept")
    story.hear(kept)
    command = CancelEvent(event_id=EVENT_ID, reason="flood — Überschwemmung", administrator="root", correlation_id="c")
    cancel_event(command, store=world.store)  # EVENT_CANCELLED
    return story.said()


def test_every_event_keeps_its_schema(said: list[dict[str, Any]]) -> None:
    for event in said:
        schema = schema_of(event["eventType"])
        validator(event["eventType"]).validate(event)
        assert list(event) == list(schema["properties"]), "exactly the envelope's fields, in its order"
        assert list(event["payload"]) == list(schema["properties"]["payload"]["properties"])


def test_the_story_says_everything_that_can_be_said(said: list[dict[str, Any]]) -> None:
    """Else an event could break its schema unseen."""
    assert {event["eventType"] for event in said} == set(PUBLISHED)
    for event_type in PUBLISHED:
        reasons = {event["payload"].get("reason") for event in said if event["eventType"] == event_type}
        closed = schema_of(event_type)["properties"]["payload"]["properties"].get("reason", {}).get("enum")
        assert closed is None or reasons == set(closed)
    refunds = [event["payload"]["reason"] for event in said if event["eventType"] == "booking.refund_requested"]
    assert set(refunds) == {reason.value for reason in RefundReason}


@pytest.mark.parametrize("event_type", PUBLISHED)
@pytest.mark.parametrize("part", ["envelope", "payload"])
def test_a_schema_notices_what_is_missing_or_of_another_type(
    said: list[dict[str, Any]], event_type: str, part: str
) -> None:
    event = next(event for event in said if event["eventType"] == event_type)
    schema = validator(event_type)
    fields = event if part == "envelope" else event["payload"]
    for name in fields:
        missing = {key: value for key, value in fields.items() if key != name}
        for broken in (missing, {**fields, name: {"no": "such type"}}, {**fields, name: None}):
            assert not schema.is_valid(broken if part == "envelope" else {**event, "payload": broken})


def test_what_the_simulated_payment_service_says_keeps_the_schemas() -> None:
    world = World()
    simulator = PaymentSimulator(world.store, world.bus, "payment.events")
    for outcome in SimulatedOutcome:
        simulator.pay(SimulatedPayment(booking_id=world.reserve(1 + len(outcome.value)).booking_id, outcome=outcome))
    booking = world.reserve(1, user="bob")
    story_payment = parse(payment(booking.booking_id, amount=75.0))
    assert not isinstance(story_payment, Skipped)
    apply_payments([story_payment], store=world.store, terms=Terms())
    cancel(CancelBooking(user_id="bob", booking_id=booking.booking_id, correlation_id="c"), store=world.store)
    Relay(world.store, world.bus, "booking.events").run_once()
    refunds = RefundSimulator(
        world.bus, events_topic="booking.events", payments_topic="payment.events", after_seconds=0.0
    )
    refunds.run_once()
    refunds.close()

    messages = [json.loads(delivery.value or b"") for delivery in world.read("payment.events")]

    assert {message["eventType"] for message in messages} == set(CONSUMED) - {"refund.failed"}
    for message in messages:
        validator(message["eventType"]).validate(message)
