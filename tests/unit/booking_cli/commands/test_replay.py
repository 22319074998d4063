"""`booking replay`, and the dead letters that `booking stats` counts."""

from typing import Protocol

import pytest

from booking_core.domain.errors import BusUnavailable
from booking_core.ports.event_bus import Message
from booking_memory.bus import MemoryEventBus
from booking_workers.relay import message_of
from tests.support.workers import World, payment
from tests.unit.booking_cli.test_commands import Booking, Terminal
from tests.unit.booking_cli.test_commands import booking as booking
from tests.unit.booking_cli.test_commands import world as world_of_commands  # noqa: F401

DEAD = "booking.dead-letters"


class LastingBus(MemoryEventBus):
    """Every command closes its bus; the next one finds this one as it was left."""

    def close(self) -> None:
        pass


@pytest.fixture
def world(world_of_commands: World) -> World:  # noqa: F811
    world_of_commands.bus = LastingBus()
    return world_of_commands


class WithBus(Protocol):
    """The program with settings that name a bus."""

    def __call__(self, *arguments: str, code: int = 0, **environ: str) -> str: ...


@pytest.fixture
def with_bus(booking: Booking) -> WithBus:
    def run(*arguments: str, code: int = 0, **environ: str) -> str:
        return booking(*arguments, code=code, BOOKING_EVENT_BUS="memory", **environ)

    return run


def publish_two(world: World) -> str:
    first, _ = world.reserve(1), world.reserve(2, user="bob")
    records = world.store.outbox.unpublished(10)
    world.bus.publish("booking.events", [message_of(record) for record in records])
    world.store.outbox.mark_published(records)
    world.later(1)
    return str(first.booking_id)


def test_events_are_replayed_and_counted(world: World, booking: Booking, with_bus: WithBus) -> None:
    booking_id = publish_two(world)

    assert with_bus("replay", "events") == "2 events published again\n"
    assert with_bus("replay", "events", "--booking-id", booking_id, "--json") == '{"published":1}\n'
    assert len(world.read("booking.events")) == 5


def test_a_dry_run_of_events_needs_no_broker(world: World, booking: Booking) -> None:
    publish_two(world)

    assert booking.json("replay", "events", "--dry-run") == {"published": 2}
    assert booking("replay", "events", "--dry-run") == "2 events would be published again\n"
    assert len(world.read("booking.events")) == 2
    booking("replay", "events", code=2)
    assert booking.err.startswith("error: BOOKING_KAFKA_BOOTSTRAP_SERVERS is not set")


@pytest.mark.parametrize(
    ("filters", "number"),
    [
        (["--since", "2026-03-01T10:00:00Z"], 2),
        (["--since", "2026-03-01T10:00:01"], 0),
        (["--until", "2026-03-01T12:00:00+02:00"], 0),
        (["--until", "2026-03-01T12:00:01+02:00"], 2),
        (["--type", "booking.created", "--type", "booking.cancelled"], 2),
        (["--type", "booking.cancelled"], 0),
        (["--event-id", "018f2b6a-7c1d-7e3a-9b4c-5d6e7f809101"], 2),
        (["--event-id", "018f2b6a-7c1d-7e3a-9b4c-5d6e7f809102"], 0),
    ],
    ids=str,
)
def test_filters(world: World, booking: Booking, filters: list[str], number: int) -> None:
    publish_two(world)

    assert booking.json("replay", "events", "--dry-run", *filters) == {"published": number}


@pytest.mark.parametrize(
    "wrong",
    [
        ["--since", "yesterday"],
        ["--type", "booking.exploded"],
        ["--booking-id", "7"],
        ["--since", "2026-03-01T10:00:00Z", "--until", "2026-03-01T10:00:00Z"],
    ],
    ids=" ".join,
)
def test_wrong_filters(booking: Booking, wrong: list[str]) -> None:
    booking("replay", "events", "--dry-run", *wrong, code=2)


def test_dead_letters_are_counted_and_replayed(world: World, with_bus: WithBus) -> None:
    made = world.reserve(1, 2)
    values = [b"nonsense", payment(made.booking_id)]
    world.bus.publish(DEAD, [Message(key=b"k", value=value) for value in values])

    assert with_bus("replay", "dead-letters", "--dry-run") == ("1 dead letter would be applied, 1 would fail again\n")
    assert '"deadLetters":2,' in with_bus("stats", "--json")
    assert with_bus("replay", "dead-letters", "--json") == '{"applied":1,"failed":1}\n'
    assert '"deadLetters":1,' in with_bus("stats", "--json")
    assert with_bus("replay", "dead-letters") == "0 dead letters applied, 1 failed again and is kept\n"
    assert "dead letters\t1" in with_bus("stats")


def test_the_dead_letters_of_another_consumer_group(world: World, with_bus: WithBus) -> None:
    world.bus.publish(DEAD, [Message(key=b"k", value=b"nonsense")])
    with_bus("replay", "dead-letters", BOOKING_CONSUMER_GROUP="other")

    assert '"deadLetters":1,' in with_bus("stats", "--json", BOOKING_CONSUMER_GROUP="other")
    assert '"deadLetters":2,' in with_bus("stats", "--json")


def test_stats_goes_on_without_the_broker(
    world: World, booking: Booking, with_bus: WithBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise BusUnavailable()

    monkeypatch.setattr(MemoryEventBus, "backlog", away)

    assert '"deadLetters":null,' in with_bus("stats", "--json")
    assert booking.err == "error: dead letters are not counted: The event bus cannot be reached\n"
    assert "dead letters\tnot counted" in with_bus("stats")


def test_a_bus_that_is_away_is_one_line(world: World, booking: Booking, with_bus: WithBus) -> None:
    publish_two(world)
    world.bus = MemoryEventBus()
    world.bus.close()

    with_bus("replay", "events", code=1)
    assert booking.err == "error: BUS_UNAVAILABLE The bus is closed\n"
    with_bus("replay", "dead-letters", code=1)
    assert booking.err == "error: BUS_UNAVAILABLE The bus is closed\n"


def test_an_unfiltered_replay_asks_and_names_its_size(
    world: World, booking: Booking, with_bus: WithBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_two(world)
    monkeypatch.setattr("sys.stdin", Terminal("no\n"))

    with_bus("replay", "events", code=1)

    assert booking.err.splitlines() == [
        "every stored event is published to booking.events again: 2",
        "Continue? [y/N]: error: not confirmed; nothing was changed",
    ]
    assert len(world.read("booking.events")) == 2
    assert with_bus("replay", "events", "--yes") == "2 events published again\n"
    monkeypatch.setattr("sys.stdin", Terminal(""))
    assert with_bus("replay", "events", "--type", "booking.created") == "2 events published again\n"
