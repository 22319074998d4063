"""The fixture of the suites: one bus and one empty topic, numbered messages, and short names for frequent steps."""

import time
from collections.abc import Callable, Sequence
from threading import Event
from typing import Final

from attrs import frozen

from booking_core.contracts.harness import EventBusHarness
from booking_core.domain.errors import BusUnavailable
from booking_core.ports import Delivery, EventBus, Message, Subscription

POLL_SECONDS: Final = 0.2
# For a harness without `timeout_seconds`.
_TIMEOUT_SECONDS: Final = 60.0
# A prime number of keys: distribution in turns must not by chance keep each key in one partition.
KEYS: Final = tuple(f"booking-{n}".encode() for n in range(17))
GROUP: Final = "group"


def numbered(first: int, last: int) -> list[Message]:
    """Make messages with these numbers as values, distributed over the keys."""
    return [Message(key=KEYS[n % len(KEYS)], value=str(n).encode()) for n in range(first, last)]


def numbers(deliveries: Sequence[Delivery]) -> list[int]:
    """Return the numbers that were delivered, in the order of delivery."""
    return [int(delivery.value or b"-1") for delivery in deliveries]


def values(deliveries: Sequence[Delivery]) -> set[int]:
    """Return the numbers that were delivered."""
    return set(numbers(deliveries))


@frozen
class BusFixture:
    """A topic of the bus under test. Each wait for what must come ends with an AssertionError after `seconds`."""

    bus: EventBus
    topic: str
    seconds: float

    @classmethod
    def of(cls, harness: EventBusHarness) -> "BusFixture":
        """Make a new topic; the time is the harness's."""
        seconds = getattr(harness, "timeout_seconds", _TIMEOUT_SECONDS)
        return cls(harness.bus, harness.new_topic(), seconds)

    def publish(self, first: int, last: int) -> None:
        """Publish messages with these numbers."""
        self.bus.publish(self.topic, numbered(first, last))

    def subscribe(self, group: str = GROUP) -> Subscription:
        """Join the group."""
        return self.bus.subscribe(self.topic, group)

    def receive(self, subscription: Subscription, number: int) -> list[Delivery]:
        """Poll without committing until this number of messages was delivered."""
        return self.receive_until(subscription, lambda arrived: len(arrived) >= number)

    def receive_until(self, subscription: Subscription, is_enough: Callable[[list[Delivery]], bool]) -> list[Delivery]:
        """Poll without committing until the deliveries are enough."""
        arrived: list[Delivery] = []
        give_up_at = time.monotonic() + self.seconds
        while not is_enough(arrived):
            assert time.monotonic() < give_up_at, f"only {len(arrived)} messages arrived"
            arrived += subscription.poll(POLL_SECONDS)
        return arrived

    def consume(self, number: int, group: str = GROUP) -> None:
        """Receive this number of messages in a subscription of its own, and commit them."""
        subscription = self.subscribe(group)
        self.receive(subscription, number)
        subscription.commit()
        subscription.close()

    def waiting(self, group: str = GROUP) -> int:
        """Return the number of messages that wait for the group, over all partitions."""
        return sum(map(len, self.bus.backlog(self.topic, group).values()))

    def ends(self) -> dict[int, int]:
        """Return the end offset of each partition."""
        backlog = self.bus.backlog(self.topic, "reader-of-ends")
        return {partition: offsets.stop for partition, offsets in backlog.items()}

    def publish_until(self, first: int, is_enough: Callable[[], bool]) -> int:
        """Publish a message per key and round until that is enough; return the next free number."""
        give_up_at = time.monotonic() + self.seconds
        start = first
        while True:
            self.publish(start, start + len(KEYS))
            start += len(KEYS)
            time.sleep(POLL_SECONDS / 4)  # limits the messages that a slow join finds
            if is_enough():
                return start
            assert time.monotonic() < give_up_at, "a member received no message"

    def wait(self, condition: Callable[[], bool], otherwise: str) -> None:
        """Wait until the condition holds."""
        give_up_at = time.monotonic() + self.seconds
        while not condition():
            assert time.monotonic() < give_up_at, otherwise
            time.sleep(POLL_SECONDS / 20)


class Member:
    """A member of a group in a thread of its own: it polls and commits until `stop`, then leaves the group.

    With `commits` False it never commits. Any error but BusUnavailable of a commit ends it.
    """

    def __init__(self, fixture: BusFixture, *, commits: bool = True, poll_seconds: float = POLL_SECONDS) -> None:
        self.arrived: list[Delivery] = []
        self._fixture, self._commits, self._poll_seconds = fixture, commits, poll_seconds
        self._stop = Event()

    def run(self) -> None:
        subscription = self._fixture.subscribe()
        try:
            while not self._stop.is_set():
                self.arrived += subscription.poll(self._poll_seconds)
                if not self._commits:
                    continue
                try:
                    subscription.commit()
                except BusUnavailable:
                    continue  # the group has changed: uncommitted messages are delivered again
        finally:
            subscription.close()

    def stop(self) -> None:
        self._stop.set()
