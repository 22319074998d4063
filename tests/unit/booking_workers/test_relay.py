"""The relay: one pass over the store in memory."""

import json
from collections.abc import Sequence

import pytest

from booking_core.domain.errors import BusUnavailable
from booking_core.ports.event_bus import Message
from booking_workers.relay import BATCH_SIZE, Relay
from tests.support.workers import FailingBus, World


@pytest.fixture
def world() -> World:
    return World()


def relay_of(world: World, batch_size: int = BATCH_SIZE) -> Relay:
    return Relay(world.store, world.bus, "booking.events", batch_size=batch_size)


def test_the_relay_publishes_with_key_and_headers_and_marks(world: World) -> None:
    booking = world.reserve(1, 2)
    relay = relay_of(world)

    assert relay.run_once() is False
    relay.run_once()

    (delivery,) = world.read("booking.events")
    assert delivery.key == str(booking.booking_id).encode()
    assert json.loads(delivery.value or b"")["eventType"] == "booking.created"
    assert dict(delivery.headers) == {
        "event_type": b"booking.created",
        "version": b"1.0",
        "correlation_id": b"corr-1",
        "content_type": b"application/json",
        "sequence": b"1",
    }
    assert relay.published == 1


def test_events_that_the_bus_did_not_take_stay(world: World) -> None:
    world.reserve(1)
    world.bus = FailingBus()
    world.bus.failures.append(BusUnavailable())
    relay = relay_of(world)

    with pytest.raises(BusUnavailable):
        relay.run_once()
    assert world.read("booking.events") == []
    relay.run_once()

    assert len(world.read("booking.events")) == 1


def test_a_full_batch_says_that_there_may_be_more(world: World) -> None:
    assert BATCH_SIZE == 500
    for number in range(1, 4):
        world.reserve(number, user=f"user-{number}")
    relay = relay_of(world, batch_size=2)

    assert [relay.run_once(), relay.run_once()] == [True, False]
    assert len(world.read("booking.events")) == 3


def test_a_relay_stands_aside_where_another_does_the_work(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(1, 7):
        world.reserve(number, user=f"user-{number}")
    relay, other = relay_of(world, batch_size=2), relay_of(world, batch_size=2)
    publish = world.bus.publish

    def other_is_faster(topic: str, messages: Sequence[Message]) -> None:
        monkeypatch.setattr(world.bus, "publish", publish)
        other.run_once()
        publish(topic, messages)

    monkeypatch.setattr(world.bus, "publish", other_is_faster)

    assert relay.run_once() is False, "its batch was full, and all of it was marked by the other"
    assert 0.05 <= relay.idle_seconds <= 0.15, "soon enough to take over within 200 ms"
    assert relay.run_once() is True
    assert relay.idle_seconds == 0.1
    assert len(world.read("booking.events")) == 6
