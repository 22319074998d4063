"""What callers may ask for, and who is said to have caused it."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import pytest

from booking_core.domain.commands import (
    AnswerRefund,
    CancelBooking,
    CancelEvent,
    ConfirmPayment,
    FailPayment,
    Reserve,
    StartPayment,
)
from booking_core.domain.errors import InvalidValue
from booking_core.domain.payments import RefundStatus
from booking_core.domain.values import ActorKind, is_storable
from tests.support.builders import EVENT_ID, SEAT_IDS, usd

ID: Final = UUID(int=1)
PAID: Final[dict[str, Any]] = {
    "message_id": UUID(int=7),
    "booking_id": ID,
    "payment_id": "pay-1",
    "correlation_id": "corr-1",
}
BY_CUSTOMER: Final[dict[str, Any]] = {"user_id": "auth0|ann", "correlation_id": "corr-1"}

COMMANDS: Final[dict[str, tuple[Callable[..., Any], dict[str, Any]]]] = {
    "reserve": (Reserve, BY_CUSTOMER | {"event_id": EVENT_ID, "seat_ids": SEAT_IDS}),
    "cancel": (CancelBooking, BY_CUSTOMER | {"booking_id": ID}),
    "start": (StartPayment, PAID),
    "confirm": (ConfirmPayment, PAID | {"amount": Decimal("1.50"), "currency": "USD"}),
    "fail": (FailPayment, PAID | {"reason": "declined"}),
    "answer": (AnswerRefund, PAID | {"status": RefundStatus.FAILED, "reason": "closed"}),
    "event": (
        CancelEvent,
        {"event_id": EVENT_ID, "reason": "storm", "administrator": "auth0|root", "correlation_id": "corr-1"},
    ),
}
TEXTS: Final = [
    (name, text)
    for name, (_, facts) in COMMANDS.items()
    for text, value in facts.items()
    if isinstance(value, str)
    and text not in ("currency",)
    and (name, text) not in (("fail", "reason"), ("answer", "reason"))
]
"""Every text that has to say something."""


def made(name: str, **changes: Any) -> Any:
    kind, facts = COMMANDS[name]
    return kind(**facts | changes)


@pytest.mark.parametrize(
    ("name", "actor", "actor_id"),
    [
        ("reserve", ActorKind.CUSTOMER, "auth0|ann"),
        ("cancel", ActorKind.CUSTOMER, "auth0|ann"),
        ("start", ActorKind.PAYMENT_EVENT, str(UUID(int=7))),
        ("confirm", ActorKind.PAYMENT_EVENT, str(UUID(int=7))),
        ("fail", ActorKind.PAYMENT_EVENT, str(UUID(int=7))),
        ("answer", ActorKind.PAYMENT_EVENT, str(UUID(int=7))),
        ("event", ActorKind.ADMINISTRATOR, "auth0|root"),
    ],
)
def test_a_command_says_who_caused_it(name: str, actor: ActorKind, actor_id: str) -> None:
    cause = made(name).cause
    assert (cause.actor, cause.actor_id, cause.correlation_id) == (actor, actor_id, "corr-1")


@pytest.mark.parametrize(("name", "text"), TEXTS)
@pytest.mark.parametrize("value", ["", "x" * 256, "a\x00b", "a\ud800b", "\udfff", None, 7])
def test_a_text_that_cannot_be_kept_is_refused_by_its_name(name: str, text: str, value: Any) -> None:
    with pytest.raises(InvalidValue) as refused:
        made(name, **{text: value})

    assert refused.value.field == text


@pytest.mark.parametrize(("name", "text"), TEXTS)
@pytest.mark.parametrize("value", ["x", "x" * 255, "Zoë 🎟", "a\ue000b"])
def test_a_text_of_1_to_255_characters_is_taken(name: str, text: str, value: str) -> None:
    assert getattr(made(name, **{text: value}), text) == value


@pytest.mark.parametrize("name", ["fail", "answer"])
@pytest.mark.parametrize("value", ["a\x00b", "a\ud800b"])
def test_a_reason_that_cannot_be_kept_is_refused(name: str, value: str) -> None:
    with pytest.raises(InvalidValue):
        made(name, reason=value)


def test_a_reason_may_be_left_out() -> None:
    assert FailPayment(**PAID).reason == ""
    assert AnswerRefund(**PAID, status=RefundStatus.COMPLETED).reason == ""


def test_seats_are_sorted_and_each_named_once() -> None:
    assert made("reserve", seat_ids=tuple(reversed(SEAT_IDS))).seat_ids == SEAT_IDS
    assert made("reserve", seat_ids=list(SEAT_IDS)).seat_ids == SEAT_IDS
    for wrong in ((), (SEAT_IDS[0], SEAT_IDS[1], SEAT_IDS[0])):
        with pytest.raises(InvalidValue) as refused:
            made("reserve", seat_ids=wrong)
        assert refused.value.field == "seat_ids"


def test_more_than_ten_seats_can_be_asked_for_and_are_refused_later() -> None:
    # TOO_MANY_SEATS is an answer of its own (BR-03), not a malformed request.
    assert len(made("reserve", seat_ids=[UUID(int=n) for n in range(11)]).seat_ids) == 11


def test_a_payment_brings_money() -> None:
    assert made("confirm").paid == usd("1.5")
    with pytest.raises(InvalidValue, match="amount"):
        made("confirm", amount=Decimal("-1"))
    with pytest.raises(InvalidValue, match="amount"):
        made("confirm", amount=1.5)
    with pytest.raises(InvalidValue, match="currency"):
        made("confirm", currency="usdt")
    assert made("confirm", currency="usd") == made("confirm")


@pytest.mark.parametrize(
    ("text", "storable"),
    [
        ("", True),
        ("plain", True),
        ("\x00", False),
        ("\x01", True),
        ("\ud7ff\ue000", True),
        ("\ud800", False),
        ("😀", True),
    ],
)
def test_only_nul_and_lone_surrogates_cannot_be_stored(text: str, storable: bool) -> None:
    assert is_storable(text) is storable
