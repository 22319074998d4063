"""The simulated Payment Service: what it says is what our consumer understands."""

from decimal import Decimal
from uuid import UUID

import pytest

from booking_core.application import confirm_payment
from booking_core.domain.commands import AnswerRefund, ConfirmPayment, FailPayment, PaymentCommand, StartPayment
from booking_core.domain.errors import BookingNotFound
from booking_core.domain.payments import RefundStatus
from booking_core.messages.payment_messages import parse
from booking_core.ports.event_bus import Message
from booking_dev.payments import PaymentSimulator, RefundSimulator, SimulatedOutcome, SimulatedPayment
from booking_workers.relay import message_of
from tests.support.workers import World

PAYMENTS, EVENTS = "payment.events", "booking.events"


@pytest.fixture
def world() -> World:
    return World()


def simulator(world: World) -> PaymentSimulator:
    return PaymentSimulator(world.store, world.bus, PAYMENTS)


def said(world: World) -> list[PaymentCommand]:
    """What our consumer would make of the payments topic; each message once."""
    found = []
    for delivery in world.read(PAYMENTS):
        command = parse(delivery.value or b"")
        assert isinstance(command, PaymentCommand)
        assert delivery.key == str(command.booking_id).encode()
        found.append(command)
    return found


def test_a_success_is_of_exactly_the_bookings_price(world: World) -> None:
    booking = world.reserve(1, 2)
    payment = SimulatedPayment(
        booking_id=booking.booking_id, outcome=SimulatedOutcome.SUCCESS, correlation_id="corr-walk"
    )
    payment_id = simulator(world).pay(payment)
    [command] = said(world)
    assert isinstance(command, ConfirmPayment)
    assert (command.booking_id, command.payment_id) == (booking.booking_id, payment_id)
    assert (command.amount, command.currency) == (Decimal("150.00"), "USD")
    assert command.correlation_id == "corr-walk"


def test_amount_currency_and_payment_can_be_chosen(world: World) -> None:
    booking = world.reserve(1)
    payment = SimulatedPayment(
        booking_id=booking.booking_id,
        outcome=SimulatedOutcome.SUCCESS,
        amount=Decimal("0.10"),
        currency="EUR",
        payment_id="pay-7",
    )
    assert simulator(world).pay(payment) == "pay-7"
    [command] = said(world)
    assert isinstance(command, ConfirmPayment)
    assert (command.payment_id, command.amount, command.currency) == ("pay-7", Decimal("0.10"), "EUR")


def test_an_amount_of_nothing_is_not_the_price(world: World) -> None:
    booking = world.reserve(1)
    simulator(world).pay(
        SimulatedPayment(booking_id=booking.booking_id, outcome=SimulatedOutcome.SUCCESS, amount=Decimal(0))
    )
    [command] = said(world)
    assert isinstance(command, ConfirmPayment)
    assert command.amount == 0


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [(SimulatedOutcome.PROCESSING, StartPayment), (SimulatedOutcome.FAILED, FailPayment)],
    ids=lambda each: str(each),
)
def test_the_other_outcomes_are_said_too(world: World, outcome: SimulatedOutcome, kind: type[PaymentCommand]) -> None:
    booking = world.reserve(1)
    simulator(world).pay(SimulatedPayment(booking_id=booking.booking_id, outcome=outcome))
    [command] = said(world)
    assert type(command) is kind


def test_told_twice_it_is_one_payment_in_two_messages(world: World) -> None:
    payment = SimulatedPayment(booking_id=world.reserve(1).booking_id, outcome=SimulatedOutcome.SUCCESS)
    simulator(world).pay(payment)
    simulator(world).pay(payment)
    first, second = said(world)
    assert first.payment_id == second.payment_id
    assert first.message_id != second.message_id


def test_nobody_pays_for_an_unknown_booking(world: World) -> None:
    with pytest.raises(BookingNotFound):
        simulator(world).pay(SimulatedPayment(booking_id=UUID(int=1), outcome=SimulatedOutcome.SUCCESS))
    assert said(world) == []


def ask_for_refund(world: World) -> UUID:
    """Publish what a payment of the wrong amount leads to, and what comes before it."""
    booking = world.reserve(1)
    command = ConfirmPayment(
        message_id=UUID(int=5),
        booking_id=booking.booking_id,
        payment_id="pay-9",
        correlation_id="corr-refund",
        amount=Decimal("1.00"),
        currency="USD",
    )
    confirm_payment(command, store=world.store)
    messages: list[Message] = [message_of(record) for record in world.store.outbox.unpublished(10)]
    assert len(messages) == 2
    world.bus.publish(EVENTS, messages)
    return booking.booking_id


def test_a_refund_that_is_asked_for_is_completed_once(world: World) -> None:
    refunds = RefundSimulator(
        world.bus, events_topic=EVENTS, payments_topic=PAYMENTS, after_seconds=0.0, poll_seconds=0.0
    )
    booking_id = ask_for_refund(world)
    refunds.run_once()
    refunds.run_once()
    [command] = said(world)
    assert isinstance(command, AnswerRefund)
    assert command.status is RefundStatus.COMPLETED
    assert (command.booking_id, command.payment_id) == (booking_id, "pay-9")
    assert command.correlation_id == "corr-refund"
    refunds.close()


def test_a_refund_takes_its_time(world: World) -> None:
    refunds = RefundSimulator(
        world.bus, events_topic=EVENTS, payments_topic=PAYMENTS, after_seconds=3600.0, poll_seconds=0.0
    )
    ask_for_refund(world)
    refunds.run_once()
    assert said(world) == []
    refunds.close()
