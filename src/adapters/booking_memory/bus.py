"""An event bus within one process: partitions, consumer groups, and redelivery of what was not committed."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from threading import Condition
from typing import Final
from zlib import crc32

from attrs import define, field

from booking_core.domain.errors import BusUnavailable
from booking_core.ports import Delivery, Finding, Grade, Message, Workload

PARTITIONS: Final = 4


@define(eq=False)
class Group:
    """A consumer group of one topic: its members, and the committed offset of each partition.

    `generation` counts the rebalances.
    """

    members: list[object] = field(factory=list)
    committed: list[int] = field(factory=lambda: [0] * PARTITIONS)
    generation: int = 0

    def join(self, member: object) -> None:
        """Add a member and rebalance."""
        self.members.append(member)
        self.generation += 1

    def leave(self, member: object) -> None:
        """Remove a member and rebalance."""
        self.members.remove(member)
        self.generation += 1

    def partitions_of(self, member: object) -> list[int]:
        """Return the partitions assigned to this member; each partition has one owner."""
        place = self.members.index(member)
        return [number for number in range(PARTITIONS) if number % len(self.members) == place]


@define(eq=False)
class Topic:
    """Messages in partitions; those of one key are in one partition, in the order of publishing."""

    name: str
    partitions: list[list[Delivery]] = field(factory=lambda: [[] for _ in range(PARTITIONS)])
    groups: dict[str, Group] = field(factory=dict)

    def append(self, message: Message) -> None:
        """Append one message."""
        number = crc32(message.key) % PARTITIONS
        partition = self.partitions[number]
        partition.append(
            Delivery(
                topic=self.name,
                partition=number,
                offset=len(partition),
                timestamp=datetime.now(UTC),
                key=message.key,
                value=message.value,
                headers=tuple((name, text.encode()) for name, text in message.headers.items()),
            )
        )

    def group(self, name: str) -> Group:
        """Return the group of that name; a new group starts with the first message."""
        return self.groups.setdefault(name, Group())

    def backlog(self, group: str) -> dict[int, range]:
        """Return the offsets that wait for the group, by partition; does not create the group."""
        committed = self.groups.get(group, Group()).committed
        return {number: range(committed[number], len(self.partitions[number])) for number in range(PARTITIONS)}

    def oldest(self, group: str) -> datetime | None:
        """Return when the oldest message of the group's backlog was appended."""
        waiting = ((number, offsets.start) for number, offsets in self.backlog(group).items() if offsets)
        sent = (self.partitions[number][offset].timestamp for number, offset in waiting)
        return min((at for at in sent if at is not None), default=None)


class MemorySubscription:
    """`Subscription`: one member of a group. After a rebalance each member starts from the last commit."""

    def __init__(self, topic: Topic, group: Group, changed: Condition, most_per_poll: int) -> None:
        self._topic, self._group, self._changed, self._most_per_poll = topic, group, changed, most_per_poll
        self._positions: dict[int, int] = {}
        self._generation = -1
        self.is_open = True
        with changed:
            group.join(self)
            changed.notify_all()

    def poll(self, timeout: float) -> Sequence[Delivery]:
        with self._changed:
            self._changed.wait_for(lambda: not self.is_open or self._has_more(), timeout)
            self._refuse_if_closed()
            return self._take()

    def commit(self, before: Mapping[int, int] | None = None) -> None:
        with self._changed:
            self._refuse_if_closed()
            if self._generation == self._group.generation:
                for partition, position in self._positions.items():
                    done = position if before is None else min(position, before.get(partition, 0))
                    self._group.committed[partition] = max(done, self._group.committed[partition])
            elif self._has_uncommitted():
                # Another member may own some of the partitions by now, and has started from the last commit.
                raise BusUnavailable("The group has changed since the messages were polled; they arrive again")

    def rewind(self) -> None:
        with self._changed:
            self._generation, self._positions = -1, {}

    def close(self) -> None:
        with self._changed:
            if self.is_open:
                self.is_open = False
                self._group.leave(self)
                self._changed.notify_all()

    def _refuse_if_closed(self) -> None:
        if not self.is_open:
            raise BusUnavailable("The subscription is closed")

    def _has_more(self) -> bool:
        if self._generation != self._group.generation:
            self._generation = self._group.generation
            self._positions = {number: self._group.committed[number] for number in self._group.partitions_of(self)}
        return any(position < len(self._topic.partitions[number]) for number, position in self._positions.items())

    def _has_uncommitted(self) -> bool:
        return any(position > self._group.committed[number] for number, position in self._positions.items())

    def _take(self) -> list[Delivery]:
        taken: list[Delivery] = []
        for number, position in self._positions.items():
            chunk = self._topic.partitions[number][position : position + self._most_per_poll - len(taken)]
            self._positions[number] = position + len(chunk)
            taken += chunk
        return taken


class MemoryEventBus:
    """`EventBus` within one process. Messages are kept as long as the bus; waiting uses no CPU."""

    def __init__(self, most_per_poll: int = 500) -> None:
        self._most_per_poll = most_per_poll
        self._changed = Condition()
        self._topics: dict[str, Topic] = {}
        self._subscriptions: list[MemorySubscription] = []
        self._is_open = True

    def publish(self, topic: str, messages: Sequence[Message]) -> None:
        with self._changed:
            self._refuse_if_closed()
            for message in messages:
                self._topic(topic).append(message)
            self._changed.notify_all()

    def subscribe(self, topic: str, group: str) -> MemorySubscription:
        with self._changed:
            self._refuse_if_closed()
            known = self._topic(topic)
            subscription = MemorySubscription(known, known.group(group), self._changed, self._most_per_poll)
            self._subscriptions = [*(each for each in self._subscriptions if each.is_open), subscription]
            return subscription

    def backlog(self, topic: str, group: str) -> Mapping[int, range]:
        with self._changed:
            self._refuse_if_closed()
            return self._topic(topic).backlog(group)

    def oldest(self, topic: str, group: str) -> datetime | None:
        with self._changed:
            self._refuse_if_closed()
            return self._topic(topic).oldest(group)

    def diagnose(self, workload: Workload) -> Iterable[Finding]:
        """See `booking_core.ports.Diagnosis`."""
        yield Finding(
            check="broker",
            grade=Grade.WARNING,
            found="in the memory of this process: nobody else gets the events",
            advice="set BOOKING_EVENT_BUS to kafka, unless it is a trial",
        )

    def close(self) -> None:
        with self._changed:
            self._is_open = False
            for subscription in self._subscriptions:
                subscription.close()

    def _refuse_if_closed(self) -> None:
        if not self._is_open:
            raise BusUnavailable("The bus is closed")

    def _topic(self, name: str) -> Topic:
        return self._topics.setdefault(name, Topic(name))
