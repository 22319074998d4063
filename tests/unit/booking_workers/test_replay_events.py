"""Replaying events: the same messages again, of what is selected, in the order of each booking."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from booking_core.application import cancel
from booking_core.domain.commands import CancelBooking
from booking_core.domain.errors import BusUnavailable
from booking_core.ports import EventSelection
from booking_core.ports.event_bus import Delivery
from booking_workers.relay import Relay
from booking_workers.replay_events import replay_events
from tests.support.workers import FailingBus, World

TOPIC = "booking.events"


@pytest.fixture
def world() -> World:
    world = World(bus=FailingBus())
    for number in range(1, 5):
        booking = world.reserve(number, user=f"user-{number}")
        command = CancelBooking(user_id=booking.user_id, booking_id=booking.booking_id, correlation_id="corr")
        cancel(command, store=world.store)
        world.later(1)
    Relay(world.store, world.bus, TOPIC).run_once()
    return world


def replay(world: World, **selected: object) -> int:
    selection = EventSelection(**selected)  # type: ignore[arg-type]
    return replay_events(selection, store=world.store, publish_to=(world.bus, TOPIC))


def content(deliveries: Sequence[Delivery]) -> dict[bytes | None, list[object]]:
    """What was said of each booking, in order."""
    found: dict[bytes | None, list[object]] = {}
    for delivery in deliveries:
        found.setdefault(delivery.key, []).append((delivery.value, delivery.headers))
    return found


def test_the_same_messages_come_again_in_their_order(world: World) -> None:
    first = world.read(TOPIC)

    assert replay(world) == 8
    assert content(world.read(TOPIC)) == content(first)
    assert replay(world) == 8, "a replay marks nothing"


@pytest.mark.parametrize("page", [1, 3, 8])
def test_pages_lose_and_repeat_nothing(world: World, page: int) -> None:
    first = world.read(TOPIC)
    counts: list[int] = []

    publish_to = (world.bus, TOPIC)
    replay_events(EventSelection(), store=world.store, publish_to=publish_to, progress=counts.append, page_size=page)

    assert content(world.read(TOPIC)) == content(first)
    assert counts[-1] == 8
    assert counts == sorted(counts)


def test_only_what_is_selected(world: World) -> None:
    world.read(TOPIC)

    assert replay(world, types=frozenset({"booking.cancelled"})) == 4
    assert {delivery.headers[0] for delivery in world.read(TOPIC)} == {("event_type", b"booking.cancelled")}
    assert replay(world, since=world.now - timedelta(minutes=2)) == 4


def test_what_waits_is_left_to_the_relay(world: World) -> None:
    world.reserve(9, user="late")
    world.later(1)

    assert replay(world) == 8


def test_what_is_recorded_after_the_beginning_is_not_replayed(world: World) -> None:
    """Else a replay would run after its own tail for as long as the service is busy."""
    relay = Relay(world.store, world.bus, TOPIC)

    def meanwhile(_: int) -> None:
        world.reserve(10 + len(world.read(TOPIC, "counter")) % 5, user=f"user-{world.now}")
        world.later(11)
        relay.run_once()

    publish_to = (world.bus, TOPIC)
    published = replay_events(
        EventSelection(), store=world.store, publish_to=publish_to, progress=meanwhile, page_size=1
    )

    assert published == 8


def test_a_dry_run_counts_and_publishes_nothing(world: World) -> None:
    world.read(TOPIC)

    assert replay_events(EventSelection(), store=world.store, publish_to=None) == 8
    assert world.read(TOPIC) == []


def test_it_stops_between_two_pages(world: World) -> None:
    answers = iter([True, False])

    published = replay_events(
        EventSelection(),
        store=world.store,
        publish_to=(world.bus, TOPIC),
        should_continue=lambda: next(answers),
        page_size=3,
    )

    assert published == 3


def test_a_bus_that_is_away_is_said(world: World) -> None:
    assert isinstance(world.bus, FailingBus)
    world.bus.failures.append(BusUnavailable())

    with pytest.raises(BusUnavailable):
        replay(world)
