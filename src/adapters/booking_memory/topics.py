"""Topics, their partitions, and how far each group has come. Whoever uses them holds the bus's condition."""

from datetime import UTC, datetime
from typing import Final
from zlib import crc32

from attrs import define, field

from booking_core.ports import Delivery, Message

PARTITIONS: Final = 4


@define(eq=False)
class Group:
    """A consumer group of one topic: its members, and per partition the offset up to which it is done.

    `generation` counts how often the partitions were shared out anew.
    """

    members: list[object] = field(factory=list)
    committed: list[int] = field(factory=lambda: [0] * PARTITIONS)
    generation: int = 0

    def join(self, member: object) -> None:
        """One more to share the partitions with."""
        self.members.append(member)
        self.generation += 1

    def leave(self, member: object) -> None:
        """Its partitions go to the others."""
        self.members.remove(member)
        self.generation += 1

    def partitions_of(self, member: object) -> list[int]:
        """The partitions that are this member's now; each has one owner."""
        place = self.members.index(member)
        return [number for number in range(PARTITIONS) if number % len(self.members) == place]


@define(eq=False)
class Topic:
    """Messages in partitions; those of one key are always in the same, in the order of arrival."""

    name: str
    partitions: list[list[Delivery]] = field(factory=lambda: [[] for _ in range(PARTITIONS)])
    groups: dict[str, Group] = field(factory=dict)

    def append(self, message: Message) -> None:
        """Take one message."""
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
        """The group of that name, starting with the first message if it is new."""
        return self.groups.setdefault(name, Group())

    def backlog(self, group: str) -> dict[int, range]:
        """By partition, the offsets that wait for the group, which is not made by asking."""
        committed = self.groups.get(group, Group()).committed
        return {number: range(committed[number], len(self.partitions[number])) for number in range(PARTITIONS)}

    def oldest(self, group: str) -> datetime | None:
        """When the first of those that wait for the group was appended."""
        waiting = ((number, offsets.start) for number, offsets in self.backlog(group).items() if offsets)
        sent = (self.partitions[number][offset].timestamp for number, offset in waiting)
        return min((at for at in sent if at is not None), default=None)
