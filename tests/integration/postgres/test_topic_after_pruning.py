"""A group that lost its offsets reads the topic from its start, and the inbox was pruned: nothing changes.

So the inbox is not what makes a payment have its effect once: it saves work, and the bookings themselves remember.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from itertools import permutations
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
from attrs import evolve
from psycopg import sql

from booking_core.application import Effect, apply_payments
from booking_core.contracts.store.upkeep import prune_everything
from booking_core.domain.booking import Booking
from booking_core.domain.commands import AnswerRefund, ConfirmPayment, FailPayment, PaymentCommand, StartPayment
from booking_core.domain.errors import Refusal
from booking_core.domain.payments import RefundStatus
from tests.support.postgres.stage import Stage

_BATCH: Final = 100
_TABLES: Final = ("bookings", "claims", "holds", "payments", "history", "outbox", "events")


def message(booking_id: UUID, payment_id: str) -> dict[str, Any]:
    return {"message_id": uuid4(), "booking_id": booking_id, "payment_id": payment_id, "correlation_id": "c-1"}


def success(booking_id: UUID, payment_id: str, amount: str = "75.00") -> PaymentCommand:
    return ConfirmPayment(**message(booking_id, payment_id), amount=Decimal(amount), currency="USD")


def answer(booking_id: UUID, payment_id: str, status: str) -> PaymentCommand:
    return AnswerRefund(**message(booking_id, payment_id), status=RefundStatus[status])


WORDS: Final[Mapping[str, Callable[[UUID], PaymentCommand]]] = {
    "processing": lambda booking_id: StartPayment(**message(booking_id, "pay-1")),
    "processing of another": lambda booking_id: StartPayment(**message(booking_id, "pay-2")),
    "success": lambda booking_id: success(booking_id, "pay-1"),
    "success of a wrong amount": lambda booking_id: success(booking_id, "pay-1", "1.00"),
    "success of another": lambda booking_id: success(booking_id, "pay-2"),
    "failed": lambda booking_id: FailPayment(**message(booking_id, "pay-1")),
    "failed of another": lambda booking_id: FailPayment(**message(booking_id, "pay-2")),
    "refund completed": lambda booking_id: answer(booking_id, "pay-1", "COMPLETED"),
    "refund failed": lambda booking_id: answer(booking_id, "pay-1", "FAILED"),
    "refund of another completed": lambda booking_id: answer(booking_id, "pay-2", "COMPLETED"),
}
CANCEL: Final = "the customer cancels"


def stories() -> list[tuple[str, ...]]:
    """Every order of any three, and some orders of all; the customer's cancelling is one of them."""
    whole = random.Random(14)
    words = [*WORDS, CANCEL]
    return [*permutations(words, 3), *(tuple(whole.sample(words, len(words))) for _ in range(100))]


def everything(stage: Stage) -> dict[str, list[Any]]:
    query = "SELECT t::text FROM booking.{} t ORDER BY 1"
    return {name: stage.door.execute(sql.SQL(query).format(sql.Identifier(name))).fetchall() for name in _TABLES}


def apply_all(stage: Stage, commands: Sequence[PaymentCommand]) -> list[Effect]:
    effects: list[Effect] = []
    for start in range(0, len(commands), _BATCH):
        effects += apply_payments(commands[start : start + _BATCH], store=stage.store)
    return effects


def told(stage: Stage) -> list[PaymentCommand]:
    """Every story is told, each to a booking of its own; the messages in the order of the topic."""
    told_by = stories()
    stage.set_up(seats=len(told_by))
    bookings = [stage.fixture.reserve(n, user=f"user-{n}") for n in range(len(told_by))]
    topic: list[PaymentCommand] = []
    for place in range(max(map(len, told_by))):
        batch = [
            WORDS[story[place]](booking.booking_id)
            for story, booking in zip(told_by, bookings, strict=True)
            if place < len(story) and story[place] != CANCEL
        ]
        apply_all(stage, batch)
        topic += batch
        for story, booking in zip(told_by, bookings, strict=True):
            if place < len(story) and story[place] == CANCEL:
                with suppress(Refusal):
                    stage.fixture.cancel(booking)
    return topic


@pytest.mark.slow("a thousand bookings, and their messages four times")
def test_the_topic_again_after_pruning_changes_nothing(stage: Stage) -> None:
    topic = told(stage)
    before = everything(stage)
    orders = {
        "the same": list(topic),
        "backwards": topic[::-1],
        "any": random.Random(7).sample(topic, len(topic)),
    }
    for order, messages in orders.items():
        assert prune_everything(stage.store) >= 0

        effects = apply_all(stage, messages)

        assert set(effects) == {Effect.NOTHING}, order
        for table, rows in everything(stage).items():
            assert rows == before[table], f"{table} has changed, read in the order {order}"


def test_new_messages_about_the_same_change_nothing(
    stage: Stage,
) -> None:
    """A Payment Service that publishes all of it again, with new ids and in the same order."""
    stage.set_up(seats=3)
    bookings: list[Booking] = [stage.fixture.reserve(n, user=f"user-{n}") for n in range(3)]
    words = ("processing", "failed", "success", "success of another", "refund completed", "refund failed")
    topic = [WORDS[word](booking.booking_id) for booking in bookings for word in words]
    apply_all(stage, topic)
    before = everything(stage)

    assert set(apply_all(stage, [evolve(each, message_id=uuid4()) for each in topic])) == {Effect.NOTHING}

    assert everything(stage) == before
