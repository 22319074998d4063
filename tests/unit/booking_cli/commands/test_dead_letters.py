"""`booking dead-letters`: what waits, one whole letter, discarding some, and replaying some."""

import json
from typing import Any
from uuid import UUID

import pytest

from booking_core.domain.values import Terms
from booking_core.ports.event_bus import Message
from booking_workers.consumer import Consumer
from booking_workers.dead_letters import DeadLetters
from tests.support.workers import World, payment
from tests.unit.booking_cli.commands.test_replay import DEAD, LastingBus
from tests.unit.booking_cli.test_commands import Booking, Terminal
from tests.unit.booking_cli.test_commands import booking as booking
from tests.unit.booking_cli.test_commands import world as world_of_commands  # noqa: F401


@pytest.fixture
def world(world_of_commands: World) -> World:  # noqa: F811
    world_of_commands.bus = LastingBus()
    return world_of_commands


def bury(world: World, *values: bytes) -> None:
    """Let the consumer make dead letters of these, all of one key."""
    world.bus.publish("payment.events", [Message(key=b"k", value=value) for value in values])
    letters = DeadLetters(world.bus, DEAD)
    consumer = Consumer(
        world.store,
        world.bus,
        topic="payment.events",
        group="booking-core",
        dead_letters=letters,
        terms=Terms(),
        poll_seconds=0.0,
    )
    consumer.run_once()
    consumer.close()
    assert letters.kept == len(values)


def listed(booking: Booking) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = booking.json("dead-letters", "list", BOOKING_EVENT_BUS="memory")["deadLetters"]
    return found


def waiting(booking: Booking) -> list[str]:
    return sorted(letter["id"] for letter in listed(booking))


def test_the_list_names_what_waits_and_changes_nothing(world: World, booking: Booking) -> None:
    bury(world, b"nonsense", payment(UUID(int=7), number=7))

    nonsense, unknown = sorted(listed(booking), key=len)

    assert nonsense["reason"].startswith("MALFORMED_MESSAGE")
    assert (unknown["eventType"], unknown["bookingId"], unknown["paymentId"]) == (
        "payment.success",
        str(UUID(int=7)),
        "pay-1",
    )
    assert unknown["id"].startswith("payment.events:")
    assert waiting(booking) == sorted([nonsense["id"], unknown["id"]])
    assert booking("dead-letters", "list", BOOKING_EVENT_BUS="memory").splitlines()[-1] == "2 dead letters"


def test_a_letter_is_shown_whole(world: World, booking: Booking) -> None:
    value = payment(UUID(int=7), number=7)
    bury(world, value, b"\xff\x00")
    by_length = sorted(listed(booking), key=len)

    shown = [booking.json("dead-letters", "show", letter["id"], BOOKING_EVENT_BUS="memory") for letter in by_length]

    assert (shown[1]["key"], shown[1]["value"]) == ("k", value.decode())
    assert shown[1]["headers"]["reason"].startswith("BOOKING_NOT_FOUND")
    assert shown[0]["value"] == "base64:/wA="
    assert "origin_offset" in booking("dead-letters", "show", by_length[1]["id"], BOOKING_EVENT_BUS="memory")


def test_discarding_one_keeps_the_others_as_they_were(world: World, booking: Booking) -> None:
    bury(world, b"first", b"second", b"third")
    before = {letter["id"]: letter for letter in listed(booking)}
    first, second, third = sorted(before)

    assert booking.json("dead-letters", "discard", second, BOOKING_EVENT_BUS="memory") == {"discarded": 1}

    assert {letter["id"]: letter for letter in listed(booking)} == {first: before[first], third: before[third]}
    assert booking.json("dead-letters", "discard", first, third, BOOKING_EVENT_BUS="memory") == {"discarded": 2}
    assert listed(booking) == []


def test_replaying_one_leaves_the_others(world: World, booking: Booking) -> None:
    made = world.reserve(1, 2)
    bury(world, b"nonsense", payment(UUID(int=7), number=7))
    held_back = payment(made.booking_id, number=2)
    world.bus.publish(DEAD, [Message(key=b"k", value=held_back)])
    chosen = next(letter["id"] for letter in listed(booking) if letter.get("bookingId") == str(made.booking_id))

    assert booking.json("dead-letters", "replay", chosen, BOOKING_EVENT_BUS="memory") == {"applied": 1, "failed": 0}

    assert booking.json("show", str(made.booking_id))["status"] == "CONFIRMED"
    assert len(waiting(booking)) == 2
    assert booking.json("dead-letters", "replay", BOOKING_EVENT_BUS="memory") == {"applied": 0, "failed": 2}
    assert len(waiting(booking)) == 2


def test_an_unknown_letter_changes_nothing(world: World, booking: Booking) -> None:
    bury(world, b"nonsense")
    before = waiting(booking)

    for command in ("show", "discard", "replay"):
        booking("dead-letters", command, "payment.events:0:99", code=1, BOOKING_EVENT_BUS="memory")
        assert "no such dead letter waits: payment.events:0:99" in booking.err
    booking("dead-letters", "discard", *before, "payment.events:0:99", code=1, BOOKING_EVENT_BUS="memory")
    assert waiting(booking) == before


def test_discarding_names_the_letters_and_asks(world: World, booking: Booking, monkeypatch: pytest.MonkeyPatch) -> None:
    bury(world, payment(UUID(int=7), number=7))
    [letter] = waiting(booking)
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))

    booking("dead-letters", "discard", letter, code=1, BOOKING_EVENT_BUS="memory")

    asked = booking.err.splitlines()
    assert asked[0].startswith(f"{letter}, ")
    assert "pay-1" in asked[0]
    assert asked[-1].endswith("error: not confirmed; nothing was changed")
    assert waiting(booking) == [letter]
    assert json.loads(booking("dead-letters", "discard", letter, "--yes", "--json", BOOKING_EVENT_BUS="memory")) == {
        "discarded": 1
    }
