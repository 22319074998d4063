"""Several relays over one outbox: first appearances in order and all there, however long one is paused (ADR 0012)."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

import pytest

from booking_core.contracts.store.fixture import StoreFixture, in_parallel
from booking_core.ports import Delivery, Message
from booking_memory.bus import MemoryEventBus
from booking_workers.jobs import keep_running
from booking_workers.relay import Relay
from tests.support.postgres.stage import Stage, until

TOPIC = "booking.events"


class HeldBus(MemoryEventBus):
    """Whatever `hold` does is done between a relay's reading and its publishing, in the relay's own thread."""

    def __init__(self, hold: Callable[[], object] = lambda: None) -> None:
        super().__init__()
        self.hold = hold

    def publish(self, topic: str, messages: Sequence[Message]) -> None:
        self.hold()
        super().publish(topic, messages)

    def everything(self) -> list[Delivery]:
        """All messages, partition after partition."""
        subscription = self.subscribe(TOPIC, "reader")
        found: list[Delivery] = []
        while more := subscription.poll(0):
            found += more
        subscription.close()
        return found


def firsts(deliveries: Sequence[Delivery]) -> dict[bytes | None, list[int]]:
    """The numbers of each booking's events, in the order in which they first appear."""
    found: dict[bytes | None, list[int]] = {}
    for delivery in deliveries:
        number, seen = int(dict(delivery.headers)["sequence"]), found.setdefault(delivery.key, [])
        if number not in seen:
            seen.append(number)
    return found


def live(fixture: StoreFixture, place: int) -> None:
    """A booking with four events."""
    booking = fixture.reserve(place, user=f"user-{place}")
    fixture.pay(booking)
    fixture.pay(booking, "pay-2")
    fixture.cancel(booking)


def test_a_relay_that_is_paused_between_reading_and_publishing_only_repeats(stage: Stage) -> None:
    fixture = stage.fixture
    booking = fixture.reserve(0)
    bus = HeldBus()
    paused, other = Relay(stage.store, bus, TOPIC), Relay(stage.store, bus, TOPIC)

    def meanwhile() -> None:
        bus.hold = lambda: None
        fixture.pay(booking)
        other.run_once()
        fixture.cancel(booking)
        other.run_once()

    bus.hold = meanwhile
    paused.run_once()
    other.run_once()

    numbers = [int(dict(delivery.headers)["sequence"]) for delivery in bus.everything()]
    assert numbers == [1, 2, 3, 4, 1]
    assert stage.store.outbox.unpublished(10) == []


@pytest.mark.parametrize("limit", [1, 3, 7])
def test_a_crowd_of_relays_and_writers(stage: Stage, limit: int) -> None:
    """Batches so small that they cut bookings, relays that dawdle, and writers at the same time."""
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    bus = HeldBus(lambda: time.sleep(chance.choice((0.0, 0.0, 0.002, 0.05))))
    relays = [Relay(stage.store, bus, TOPIC, idle_seconds=0.001, batch_size=limit) for _ in range(4)]
    stop = threading.Event()
    threads = [threading.Thread(target=keep_running, args=(relay, stop)) for relay in relays]
    for thread in threads:
        thread.start()
    try:
        assert in_parallel([partial(live, stage.fixture, place) for place in range(8)]) == [None] * 8
        until(lambda: not stage.store.outbox.unpublished(1), "everything is published")
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)

    told = firsts(bus.everything())
    assert len(told) == 8, f"seed {seed}"
    assert all(numbers == [1, 2, 3, 4, 5] for numbers in told.values()), f"seed {seed}: {told}"
