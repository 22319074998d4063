"""The consumer: what is applied, what is skipped, what becomes a dead letter, and what waits."""

from typing import Any
from unittest.mock import Mock
from uuid import UUID

import pytest

from booking_core.application import confirm_payment, show_booking
from booking_core.domain.booking import Booking
from booking_core.domain.errors import BusUnavailable, EventIdReused, ServiceBusy
from booking_core.domain.lifecycle import Status
from booking_core.domain.payments import RefundStatus
from booking_core.domain.values import CancellationReason, Terms
from booking_core.messages.payment_messages import parse
from booking_core.ports.event_bus import Message
from booking_workers.consumer import TRANSACTION_SIZE, Consumer
from booking_workers.dead_letters import MAX_VALUE_BYTES, DeadLetters
from tests.support.workers import FailingBus, World, payment

TOPIC, DEAD = "payment.events", "booking.dead-letters"


@pytest.fixture
def world() -> World:
    return World(bus=FailingBus())


def consumer_of(world: World, transaction_size: int = TRANSACTION_SIZE) -> Consumer:
    return Consumer(
        world.store,
        world.bus,
        topic=TOPIC,
        group="booking-core",
        dead_letters=DeadLetters(world.bus, DEAD),
        terms=Terms(),
        transaction_size=transaction_size,
        poll_seconds=0.0,
    )


def send(world: World, *values: bytes, key: bytes = b"k") -> None:
    world.bus.publish(TOPIC, [Message(key=key, value=value) for value in values])


def test_every_kind_of_message_reaches_its_use_case(world: World) -> None:
    paid, failed = world.reserve(1, 2), world.reserve(3)
    send(
        world,
        payment(paid.booking_id, "payment.processing", 1),
        payment(paid.booking_id, "payment.success", 2),
        payment(paid.booking_id, "payment.success", 2),
        payment(paid.booking_id, "payment.success", 3, paymentId="pay-2"),
        payment(paid.booking_id, "refund.completed", 4, paymentId="pay-2"),
        payment(failed.booking_id, "payment.failed", 5),
    )
    consumer = consumer_of(world)

    consumer.run_once()

    booking, _ = show_booking(paid.booking_id, store=world.store)
    assert (booking.status, booking.confirmed_by) == (Status.CONFIRMED, "pay-1")
    assert booking.processing_started_at is not None
    assert booking.payments["pay-2"].refund_status is RefundStatus.COMPLETED
    other, _ = show_booking(failed.booking_id, store=world.store)
    assert other.cancellation_reason is CancellationReason.PAYMENT_FAILED
    assert consumer.counts["unchanged"] >= 1
    assert world.read(DEAD) == []


def test_other_types_are_skipped_and_counted(world: World) -> None:
    send(world, b'{"eventType": "invoice.sent"}')
    consumer = consumer_of(world)

    consumer.run_once()

    assert consumer.counts == {"skipped": 1}
    assert world.read(DEAD) == []


def test_what_can_not_be_applied_becomes_a_dead_letter_and_the_rest_goes_on(world: World) -> None:
    booking = world.reserve(1, 2)
    unknown = payment(UUID(int=7), number=1)
    send(world, b"\xffnonsense", unknown, payment(booking.booking_id, number=2))
    consumer = consumer_of(world)

    consumer.run_once()

    assert show_booking(booking.booking_id, store=world.store)[0].status is Status.CONFIRMED
    nonsense, homeless = world.read(DEAD)
    assert (nonsense.key, nonsense.value, homeless.value) == (b"k", b"\xffnonsense", unknown)
    headers = dict(nonsense.headers)
    assert headers["reason"] == b"MALFORMED_MESSAGE: the message is not UTF-8: byte 0"
    assert headers["origin_topic"] == TOPIC.encode()
    assert (headers["origin_offset"], dict(homeless.headers)["origin_offset"]) == (b"0", b"1")
    assert headers["origin_partition"].isdigit()
    assert headers["dead_lettered_at"].endswith(b"Z")
    assert b"BOOKING_NOT_FOUND" in dict(homeless.headers)["reason"]
    assert "truncated" not in headers
    assert (consumer.counts["dead"], consumer.counts["applied"]) == (2, 1)


def test_a_dead_payment_can_be_applied_later(world: World) -> None:
    """It is not in the inbox."""
    send(world, payment(UUID(int=7), number=1))
    consumer_of(world).run_once()
    booking = world.reserve(1, 2)
    send(world, payment(booking.booking_id, number=1))

    consumer_of(world).run_once()

    assert show_booking(booking.booking_id, store=world.store)[0].status is Status.CONFIRMED


@pytest.mark.parametrize("together", [1, TRANSACTION_SIZE])
def test_a_reused_event_id_is_a_dead_letter_and_counted(world: World, together: int) -> None:
    first, second = world.reserve(1, 2), world.reserve(3, 4, user="bob")
    mistakes = [
        payment(second.booking_id, number=1),
        payment(first.booking_id, number=1, paymentId="pay-2"),
        payment(first.booking_id, "refund.completed", number=1),
    ]
    send(world, payment(first.booking_id, number=1), *mistakes, payment(first.booking_id, number=1, amount=1))
    send(world, payment(second.booking_id, number=2))
    consumer = consumer_of(world, transaction_size=together)

    consumer.run_once()

    letters = world.read(DEAD)
    assert [each.value for each in letters] == mistakes
    assert {dict(each.headers)["reason"].split(b":")[0] for each in letters} == {b"EVENT_ID_REUSED"}
    assert consumer.counts == {"applied": 2, "unchanged": 1, "dead": 3, "reused": 3}
    for booking in (first, second):
        shown, _ = show_booking(booking.booking_id, store=world.store)
        assert (shown.status, list(shown.payments)) == (Status.CONFIRMED, ["pay-1"])


def test_a_use_case_refuses_an_event_id_of_another_message(world: World) -> None:
    first, second = world.reserve(1, 2), world.reserve(3, 4, user="bob")
    commands = [parse(payment(each.booking_id, number=1)) for each in (first, second)]
    assert confirm_payment(commands[0], store=world.store)  # type: ignore[arg-type]
    with pytest.raises(EventIdReused):
        confirm_payment(commands[1], store=world.store)  # type: ignore[arg-type]

    assert show_booking(second.booking_id, store=world.store)[0].payments == {}


def test_a_large_dead_letter_is_cut_and_says_so(world: World) -> None:
    send(world, b"x" * (MAX_VALUE_BYTES + 1), b"y" * MAX_VALUE_BYTES)

    consumer_of(world).run_once()

    cut, whole = world.read(DEAD)
    assert (len(cut.value or b""), dict(cut.headers)["truncated"]) == (MAX_VALUE_BYTES, b"true")
    assert (len(whole.value or b""), "truncated" in dict(whole.headers)) == (MAX_VALUE_BYTES, False)


def test_an_outage_of_the_database_is_no_poison(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = world.reserve(1, 2), world.reserve(3, 4)
    send(world, payment(first.booking_id, number=1), payment(second.booking_id, number=2))
    consumer = consumer_of(world, transaction_size=1)
    unit_of_work, calls = world.store.unit_of_work, []

    def failing() -> object:
        calls.append(1)
        if len(calls) == 2:
            raise ServiceBusy()
        return unit_of_work()

    monkeypatch.setattr(world.store, "unit_of_work", failing)
    with pytest.raises(ServiceBusy):
        consumer.run_once()
    consumer.run_once()

    for booking in (first, second):
        shown, history = show_booking(booking.booking_id, store=world.store)
        assert (shown.status, len(history)) == (Status.CONFIRMED, 2)
    assert world.read(DEAD) == []


def test_a_dead_letter_that_the_bus_does_not_take_waits(world: World) -> None:
    send(world, b"nonsense")
    consumer = consumer_of(world)
    assert isinstance(world.bus, FailingBus)
    world.bus.failures.append(BusUnavailable())

    with pytest.raises(BusUnavailable):
        consumer.run_once()
    assert world.read(DEAD) == []
    consumer.run_once()

    assert len(world.read(DEAD)) == 1


def test_what_was_not_committed_arrives_again_and_has_no_second_effect(world: World) -> None:
    booking = world.reserve(1, 2)
    send(world, payment(booking.booking_id))
    consumer = consumer_of(world)
    consumer.run_once()
    again = world.bus.subscribe(TOPIC, "another group")
    send(world, *[delivery.value or b"" for delivery in again.poll(0)])

    consumer.run_once()

    assert consumer.counts == {"applied": 1, "unchanged": 1}


def test_a_bug_is_tried_five_times_before_the_message_is_dead(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    booking = world.reserve(1, 2)
    value = payment(booking.booking_id)
    send(world, value)
    consumer = consumer_of(world)

    def bug(*_: object, **__: object) -> bool:
        raise KeyError("a secret")

    monkeypatch.setattr("booking_workers.consumer.apply_payments", bug)
    for _ in range(4):
        with pytest.raises(KeyError):
            consumer.run_once()
    assert world.read(DEAD) == []
    consumer.run_once()

    (dead,) = world.read(DEAD)
    assert dead.value == value
    assert dict(dead.headers)["reason"] == b"INTERNAL_ERROR: KeyError while it was applied"


def test_a_bug_with_one_message_does_not_stop_the_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    first, sick, last = world.reserve(1, 2), world.reserve(3, 4), world.reserve(5, 6)
    send(world, *(payment(each.booking_id, number=n) for n, each in enumerate((first, sick, last))))
    consumer = consumer_of(world)
    confirm = Booking.confirm

    def sometimes(booking: Booking, *given: Any) -> None:
        if booking.booking_id == sick.booking_id:
            raise KeyError("a secret")
        confirm(booking, *given)

    monkeypatch.setattr(Booking, "confirm", sometimes)
    for _ in range(4):
        with pytest.raises(KeyError):
            consumer.run_once()
        assert show_booking(last.booking_id, store=world.store)[0].status is Status.CONFIRMED
    consumer.run_once()

    assert [show_booking(each.booking_id, store=world.store)[0].status for each in (first, sick, last)] == [
        Status.CONFIRMED,
        Status.PENDING,
        Status.CONFIRMED,
    ]
    assert len(world.read(DEAD)) == 1


def test_bugs_with_many_messages_are_counted_together(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        send(
            world,
            payment(world.reserve(2 * number + 1, 2 * number + 2, user=f"user-{number}").booking_id, number=number),
        )
    consumer = consumer_of(world)

    def bug(*_: object, **__: object) -> bool:
        raise KeyError("a secret")

    monkeypatch.setattr("booking_workers.consumer.apply_payments", bug)
    for _ in range(4):
        with pytest.raises(KeyError):
            consumer.run_once()
    consumer.run_once()

    assert len(world.read(DEAD)) == 4


def test_many_go_together(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """And those of one booking stay in their order, also where one transaction ends and the next begins."""
    bookings = [world.reserve(number, number + 1, user=f"user-{number}") for number in range(1, 10, 2)]
    send(
        world,
        *(
            payment(each.booking_id, event_type, 10 * number + place)
            for number, event_type in enumerate(("payment.processing", "payment.success", "payment.failed"))
            for place, each in enumerate(bookings)
        ),
    )
    unit_of_work = Mock(wraps=world.store.unit_of_work)
    monkeypatch.setattr(world.store, "unit_of_work", unit_of_work)
    consumer = consumer_of(world, transaction_size=3)

    consumer.run_once()

    for each in bookings:
        _, history = show_booking(each.booking_id, store=world.store)
        assert [entry.to_status for entry in history] == [Status.PENDING, Status.PROCESSING, Status.CONFIRMED]
    assert unit_of_work.call_count == 5  # 15 messages, 3 a transaction
    assert consumer.counts == {"applied": 10, "unchanged": 5}


def test_closing_leaves_the_group(world: World) -> None:
    send(world, b'{"eventType": "invoice.sent"}')
    first = consumer_of(world)
    first.run_once()

    first.close()
    first.close()
    send(world, b'{"eventType": "invoice.paid"}')
    second = consumer_of(world)
    second.run_once()

    assert second.counts == {"skipped": 1}
