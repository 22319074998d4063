"""The suite of delivery: at least once, in order per key, and from the last commit of the group."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Event

from booking_core.contracts.harness import EventBusHarness
from booking_core.domain.errors import BusUnavailable
from booking_core.ports import Delivery, EventBus, Message, Subscription

_POLL_SECONDS = 0.2
_TIMEOUT_SECONDS = 60.0
# A prime number of keys: distribution in turns must not by chance keep each key in one partition.
KEYS = [f"booking-{n}".encode() for n in range(17)]


def numbered(first: int, last: int) -> list[Message]:
    """Make messages with these numbers as values, distributed over the keys."""
    return [Message(key=KEYS[n % len(KEYS)], value=str(n).encode()) for n in range(first, last)]


def values(deliveries: Sequence[Delivery]) -> set[int]:
    """Return the numbers that were delivered."""
    return {int(delivery.value or b"-1") for delivery in deliveries}


def receive(subscription: Subscription, enough: Callable[[list[Delivery]], bool]) -> list[Delivery]:
    """Poll without committing until the deliveries are enough. Raises AssertionError after 60 s."""
    arrived: list[Delivery] = []
    give_up_at = time.monotonic() + _TIMEOUT_SECONDS
    while not enough(arrived):
        assert time.monotonic() < give_up_at, f"only {len(arrived)} messages arrived"
        arrived += subscription.poll(_POLL_SECONDS)
    return arrived


def receive_number(subscription: Subscription, number: int) -> list[Delivery]:
    """Poll until this number of messages was delivered."""
    return receive(subscription, lambda arrived: len(arrived) >= number)


class Member:
    """A member of a group in a thread of its own: it polls and commits until `stop`, then leaves the group."""

    def __init__(self, bus: EventBus, topic: str, group: str) -> None:
        self.arrived: list[Delivery] = []
        self._bus, self._topic, self._group = bus, topic, group
        self._stop = Event()

    def run(self) -> None:
        subscription = self._bus.subscribe(self._topic, self._group)
        try:
            while not self._stop.is_set():
                self.arrived += subscription.poll(_POLL_SECONDS)
                try:
                    subscription.commit()
                except BusUnavailable:
                    continue  # the group has changed: uncommitted messages are delivered again
        finally:
            subscription.close()

    def stop(self) -> None:
        self._stop.set()


class EventBusContract:
    """`EventBus` and `Subscription`."""

    def test_a_message_is_delivered_unchanged(self, event_bus_harness: EventBusHarness) -> None:
        bus, topic = event_bus_harness.bus, event_bus_harness.new_topic()
        headers = {"event_type": "booking.created", "sequence": "1", "empty": "", "text": "Zürich 🎭"}
        bus.publish(topic, [Message(key=b"\x00\xff", value=b'{"price": 1.50}', headers=headers)])
        subscription = bus.subscribe(topic, "group")

        (delivery,) = receive_number(subscription, 1)
        subscription.close()

        assert (delivery.topic, delivery.key, delivery.value) == (topic, b"\x00\xff", b'{"price": 1.50}')
        assert dict(delivery.headers) == {name: text.encode() for name, text in headers.items()}
        assert delivery.timestamp is None or delivery.timestamp.tzinfo is not None

    def test_messages_of_0_bytes_and_of_100_kb_are_delivered(self, event_bus_harness: EventBusHarness) -> None:
        bus, topic = event_bus_harness.bus, event_bus_harness.new_topic()
        sent = [b"", bytes(range(256)) * 400, b"x"]
        bus.publish(topic, [Message(key=b"k", value=value) for value in sent])
        subscription = bus.subscribe(topic, "group")

        arrived = receive_number(subscription, 3)
        subscription.close()

        assert [delivery.value for delivery in arrived] == sent
        assert all(list(delivery.headers) == [] for delivery in arrived)

    def test_publishing_no_messages_delivers_nothing(self, event_bus_harness: EventBusHarness) -> None:
        bus, topic = event_bus_harness.bus, event_bus_harness.new_topic()
        bus.publish(topic, [])
        subscription = bus.subscribe(topic, "group")

        assert list(subscription.poll(_POLL_SECONDS)) == []
        subscription.commit()
        subscription.close()

    def test_messages_of_one_key_are_delivered_in_order(self, event_bus_harness: EventBusHarness) -> None:
        bus, topic = event_bus_harness.bus, event_bus_harness.new_topic()
        for first in range(0, 600, 150):
            bus.publish(topic, numbered(first, first + 150))
        subscription = bus.subscribe(topic, "group")

        arrived = receive_number(subscription, 600)
        subscription.close()

        for key in KEYS:
            of_key = [delivery for delivery in arrived if delivery.key == key]
            assert [int(delivery.value or b"") for delivery in of_key] == sorted(values(of_key))
            assert len({delivery.partition for delivery in of_key}) == 1
        for partition in {delivery.partition for delivery in arrived}:
            offsets = [delivery.offset for delivery in arrived if delivery.partition == partition]
            assert offsets == sorted(set(offsets))

    def test_uncommitted_messages_are_delivered_again(self, event_bus_harness: EventBusHarness) -> None:
        bus, topic = event_bus_harness.bus, event_bus_harness.new_topic()
        bus.publish(topic, numbered(0, 20))
        first = bus.subscribe(topic, "group")
        receive_number(first, 20)
        first.close()
        second = bus.subscribe(topic, "group")

        again = receive_number(second, 20)
        second.close()

        assert values(again) == set(range(20))

    def test_committed_messages_are_not_delivered_again(self, event_bus_harness: EventBusHarness) -> None:
        bus, topic = event_bus_harness.bus, event_bus_harness.new_topic()
        bus.publish(topic, numbered(0, 20))
        first = bus.subscribe(topic, "group")
        receive_number(first, 20)
        first.commit()
        first.close()
        first.close()
        bus.publish(topic, numbered(20, 30))
        second = bus.subscribe(topic, "group")

        arrived = receive_number(second, 10)
        second.close()

        assert values(arrived) == set(range(20, 30))

    def test_rewind_returns_to_the_last_commit(self, event_bus_harness: EventBusHarness) -> None:
        bus, topic = event_bus_harness.bus, event_bus_harness.new_topic()
        bus.publish(topic, numbered(0, 10))
        subscription = bus.subscribe(topic, "group")
        receive_number(subscription, 10)
        subscription.commit()
        bus.publish(topic, numbered(10, 20))
        receive_number(subscription, 10)
        subscription.rewind()
        subscription.commit()

        again = receive_number(subscription, 10)
        subscription.close()

        assert values(again) == set(range(10, 20))

    def test_every_group_receives_every_message(self, event_bus_harness: EventBusHarness) -> None:
        bus, topic = event_bus_harness.bus, event_bus_harness.new_topic()
        bus.publish(topic, numbered(0, 20))
        for group in ("one", "two"):
            subscription = bus.subscribe(topic, group)
            assert values(receive_number(subscription, 20)) == set(range(20))
            subscription.commit()
            subscription.close()

    def test_a_message_is_delivered_in_its_topic_only(self, event_bus_harness: EventBusHarness) -> None:
        bus = event_bus_harness.bus
        here, there = event_bus_harness.new_topic(), event_bus_harness.new_topic()
        bus.publish(there, numbered(0, 5))
        bus.publish(here, numbered(5, 10))
        subscription = bus.subscribe(here, "group")

        assert values(receive_number(subscription, 5)) == set(range(5, 10))
        subscription.close()

    def test_two_members_share_partitions_and_one_takes_over(self, event_bus_harness: EventBusHarness) -> None:
        bus, topic = event_bus_harness.bus, event_bus_harness.new_topic()
        members = [Member(bus, topic, "group") for _ in range(2)]
        with ThreadPoolExecutor(2) as pool:
            running = [pool.submit(member.run) for member in members]
            try:
                sent = self._publish_until(bus, topic, 0, lambda: all(member.arrived for member in members))
                members[0].stop()
                running[0].result(_TIMEOUT_SECONDS)
                seen = len(members[1].arrived)
                sent = self._publish_until(bus, topic, sent, lambda: len(members[1].arrived) > seen)
                self._wait(lambda: values([*members[0].arrived, *members[1].arrived]) == set(range(sent)))
            finally:
                for member in members:
                    member.stop()
            running[1].result(_TIMEOUT_SECONDS)

        for member in members:
            for key in KEYS:
                firsts = list(dict.fromkeys(d.value for d in member.arrived if d.key == key))
                assert firsts == sorted(firsts, key=lambda value: int(value or b""))

    def test_poll_returns_when_a_message_arrives(self, event_bus_harness: EventBusHarness) -> None:
        bus, topic = event_bus_harness.bus, event_bus_harness.new_topic()
        subscription = bus.subscribe(topic, "group")
        subscription.poll(_POLL_SECONDS)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(receive_number, subscription, 1)
            bus.publish(topic, numbered(0, 1))
            assert values(waiting.result(_TIMEOUT_SECONDS)) == {0}
        subscription.close()

    def _publish_until(self, bus: EventBus, topic: str, first: int, is_enough: Callable[[], bool]) -> int:
        """Publish a message per key and round until that is enough; return the next free number."""
        give_up_at = time.monotonic() + _TIMEOUT_SECONDS
        for start in count(first, len(KEYS)):
            bus.publish(topic, numbered(start, start + len(KEYS)))
            time.sleep(_POLL_SECONDS / 4)  # limits the messages that a slow join finds
            if is_enough():
                return start + len(KEYS)
            assert time.monotonic() < give_up_at, "a member received no message"
        raise AssertionError("unreachable")

    def _wait(self, condition: Callable[[], bool]) -> None:
        give_up_at = time.monotonic() + _TIMEOUT_SECONDS
        while not condition():
            assert time.monotonic() < give_up_at, "messages are missing"
            time.sleep(_POLL_SECONDS / 4)
