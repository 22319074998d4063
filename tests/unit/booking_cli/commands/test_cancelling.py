"""`booking cancel` and `booking release`: what ends, what is paid back, what the history says, and what is refused."""

from typing import Any

import pytest

from booking_core.application import apply_payments
from booking_core.domain.values import Terms
from booking_core.messages.payment_messages import parse
from tests.support.workers import EVENT_ID, World, payment
from tests.unit.booking_cli.test_commands import Booking, Terminal, confirm
from tests.unit.booking_cli.test_commands import booking as booking
from tests.unit.booking_cli.test_commands import world as world

DAYS = 24 * 60
REASON = ("--reason", "bought twice")


def last_change(booking: Booking, booking_id: str) -> dict[str, Any]:
    change: dict[str, Any] = booking.json("show", booking_id)["history"][-1]
    return change


@pytest.mark.parametrize(
    ("days_before_the_event", "refund", "refunded"),
    [
        (30, (), True),
        (30, ("--refund", "policy"), True),
        (1, ("--refund", "policy"), False),
        (1, ("--refund", "full"), True),
        (-3, ("--refund", "full"), True),
        (-3, (), False),
        (30, ("--refund", "none"), False),
    ],
)
def test_the_refund_is_as_the_operator_says(
    world: World, booking: Booking, days_before_the_event: int, refund: tuple[str, ...], refunded: bool
) -> None:
    made = str(confirm(world, 1, 2))
    world.later((40 - days_before_the_event) * DAYS)

    ended = booking.json("cancel", made, *REASON, *refund)

    assert (ended["status"], ended["cancellationReason"]) == ("CANCELLED", "USER_CANCELLED")
    assert ("refund" in ended) is refunded
    if refunded:
        assert (ended["refund"]["amount"], ended["refund"]["reason"]) == (150.0, "USER_CANCELLED")
    types = [record.event_type for record in world.store.outbox.unpublished(10)][2:]
    assert types == ["booking.cancelled", *["booking.refund_requested"] * refunded]
    assert booking.json("find", "--seat", f"{EVENT_ID}/A/1", "--status", "CONFIRMED")["bookings"] == []


def test_the_history_names_the_operator_and_the_reason(world: World, booking: Booking) -> None:
    made = str(world.reserve(1).booking_id)

    shown = booking("cancel", made, *REASON)

    change = last_change(booking, made)
    assert (change["trigger"], change["actor"], change["note"]) == ("OPERATOR_CANCELS", "ADMINISTRATOR", "bought twice")
    assert change["actorId"].startswith("cli")
    assert shown.splitlines() == [
        f"{made} of ann: A concert, 2026-04-10T10:00:00Z, A 1",
        "cancelled, 1 seat released, refund requested: none",
    ]


def test_cancelling_again_changes_nothing(world: World, booking: Booking) -> None:
    made = str(confirm(world, 1))
    booking("cancel", made, *REASON)
    before = booking.json("show", made)

    assert "nothing has changed" in booking("cancel", made, *REASON)
    assert booking.json("show", made) == before


def test_a_payment_in_progress_is_not_cancelled(world: World, booking: Booking) -> None:
    made = world.reserve(1)
    command = parse(payment(made.booking_id, "payment.processing"))
    apply_payments([command], store=world.store, terms=Terms())  # type: ignore[list-item]

    for arguments in (("cancel", str(made.booking_id), *REASON), ("release", str(made.booking_id))):
        booking(*arguments, code=1)
        assert booking.err.startswith("error: PAYMENT_IN_PROGRESS ")


def test_an_expired_or_unknown_booking_is_not_cancelled(world: World, booking: Booking) -> None:
    made = world.reserve(1)
    world.later(11)

    booking("cancel", str(made.booking_id), *REASON, code=1)
    assert booking.err.startswith("error: BOOKING_NOT_CANCELLABLE ")
    booking("cancel", str(EVENT_ID), *REASON, code=1)
    assert booking.err.startswith("error: BOOKING_NOT_FOUND ")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("cancel", str(EVENT_ID)), "--reason"),
        (("cancel", str(EVENT_ID), "--reason", ""), "--reason"),
        (("cancel", str(EVENT_ID), *REASON, "--refund", "half"), "--refund"),
        (("cancel", "seven", *REASON), "BOOKING_ID"),
        (("release", str(EVENT_ID), "--reason", "\x00"), "--reason"),
    ],
)
def test_wrong_use_ends_nothing(booking: Booking, arguments: tuple[str, ...], complaint: str) -> None:
    booking(*arguments, code=2)

    assert complaint in booking.err


def test_on_a_terminal_it_names_the_booking_and_the_refund(
    world: World, booking: Booking, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = str(confirm(world, 1, 2))
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))

    booking("cancel", made, *REASON, code=1)

    assert booking.err.splitlines() == [
        f"{made} of ann: A concert, 2026-04-10T10:00:00Z, A 1, A 2",
        "would be cancelled, 2 seats released, refund requested: 150.00 USD",
        "Continue? [y/N]: error: not confirmed; nothing was changed",
    ]
    assert booking.json("show", made)["status"] == "CONFIRMED"
    assert booking.json("cancel", made, *REASON, "--yes")["status"] == "CANCELLED"


def test_a_released_hold_frees_its_seats_at_once(world: World, booking: Booking) -> None:
    made = world.reserve(1, 2)

    ended = booking.json("release", str(made.booking_id), "--reason", "called")

    assert (ended["status"], ended["cancellationReason"]) == ("CANCELLED", "USER_CANCELLED")
    change = last_change(booking, str(made.booking_id))
    assert (change["trigger"], change["actor"], change["note"]) == ("OPERATOR_RELEASES", "ADMINISTRATOR", "called")
    assert world.reserve(1, 2, user="bob").status.value == "PENDING"
    assert [record.event_type for record in world.store.outbox.unpublished(10)][:2] == [
        "booking.created",
        "booking.cancelled",
    ]


def test_a_hold_whose_time_is_over_ends_as_expired(world: World, booking: Booking) -> None:
    made = str(world.reserve(1).booking_id)
    world.later(11)

    assert booking.json("release", made)["cancellationReason"] == "EXPIRED"
    assert [entry["trigger"] for entry in booking.json("show", made)["history"]] == ["RESERVE", "TIME"]
    booking("release", made, code=1)
    assert booking.err.startswith("error: BOOKING_NOT_CANCELLABLE ")


def test_a_paid_booking_is_not_released(world: World, booking: Booking) -> None:
    made = str(confirm(world, 1))

    booking("release", made, code=1)

    assert booking.err.startswith("error: BOOKING_NOT_CANCELLABLE ")
    assert booking.json("show", made)["status"] == "CONFIRMED"
