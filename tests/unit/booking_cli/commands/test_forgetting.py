"""`booking forget`: what is left of a user, when it is refused, and the question before it."""

import pytest

from tests.support.workers import EVENT_ID, World
from tests.unit.booking_cli.test_commands import Booking, Terminal, confirm
from tests.unit.booking_cli.test_commands import booking as booking
from tests.unit.booking_cli.test_commands import world as world


def test_a_forgotten_user_is_a_pseudonym(world: World, booking: Booking) -> None:
    made = str(confirm(world, 1))
    booking("cancel", made, "--reason", "asked for it")

    done = booking.json("forget", "--user", "ann")

    assert done["bookings"] == 1
    assert done["pseudonym"].startswith("forgotten:")
    shown = booking.json("show", made)
    assert (shown["userId"], shown["refund"]["amount"]) == (done["pseudonym"], 75.0)
    assert "ann" not in {entry["actorId"] for entry in shown["history"]}
    assert booking.json("find", "--user", "ann")["pagination"]["total"] == 0
    assert booking("forget", "--user", "ann").startswith("0 bookings of forgotten:")


def test_a_user_with_a_live_booking_is_not_forgotten(world: World, booking: Booking) -> None:
    made = str(world.reserve(1).booking_id)

    booking("forget", "--user", "ann", code=1)

    assert booking.err.startswith("error: CUSTOMER_HAS_LIVE_BOOKING ")
    assert booking.json("show", made)["userId"] == "ann"
    world.later(11)
    assert booking.json("forget", "--user", "ann")["bookings"] == 1
    assert booking.json("show", made)["cancellationReason"] == "EXPIRED"


def test_on_a_terminal_it_asks(world: World, booking: Booking, monkeypatch: pytest.MonkeyPatch) -> None:
    world.reserve(1)
    world.later(11)
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))

    booking("forget", "--user", "ann", code=1)

    assert booking.err.splitlines() == [
        "ann is forgotten: 1 booking",
        "Continue? [y/N]: error: not confirmed; nothing was changed",
    ]
    assert booking.json("find", "--event", str(EVENT_ID))["bookings"][0]["userId"] == "ann"
    assert booking.json("forget", "--user", "ann", "--yes")["bookings"] == 1


@pytest.mark.parametrize("user", ["", "x" * 256])
def test_an_impossible_user_is_wrong_use(booking: Booking, user: str) -> None:
    booking("forget", "--user", user, code=2)

    assert "--user" in booking.err
