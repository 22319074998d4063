"""The event bus: how messages leave and arrive. At least once, in order per key."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from attrs import field, frozen


@frozen(kw_only=True)
class Message:
    """Bytes with a key and text headers. Messages of one key keep their order."""

    key: bytes
    value: bytes
    headers: Mapping[str, str] = field(factory=dict)


@frozen(kw_only=True)
class Delivery:
    """A message as it arrived, and where from. `headers` are bytes, for a stranger may have written them."""

    topic: str
    partition: int
    offset: int
    timestamp: datetime | None
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


class Subscription(Protocol):
    """One member of a consumer group. Used by one thread at a time."""

    def poll(self, timeout: float) -> Sequence[Delivery]:
        """The next messages, in order within a partition; empty after `timeout` seconds without any.

        What was not committed arrives again: after a restart, a rebalance, or to another member of the group.
        Raises BusUnavailable when the bus cannot be reached; polling again later goes on where it stopped.
        """
        ...

    def commit(self, before: Mapping[int, int] | None = None) -> None:
        """Everything that `poll` has returned so far is done. Until this returns, it may arrive again.

        With `before`, only what has a smaller offset than the one given there for its partition; a partition that is
        not named is left as it is. What is left counts as polled and not committed.
        Raises BusUnavailable; then nothing is lost, and some may arrive again.
        """
        ...

    def rewind(self) -> None:
        """Forget what was polled and not committed: the next `poll` returns it again."""
        ...

    def close(self) -> None:
        """Leave the group without committing. May be called twice."""
        ...


class EventBus(Protocol):
    """Takes and gives messages. Safe to use from many threads; connects lazily."""

    def publish(self, topic: str, messages: Sequence[Message]) -> None:
        """Returns when the bus has safely taken all of them, in the given order per key.

        Raises BusUnavailable when it has not within bounded time: any of them may have been taken, and may be sent
        again (at least once). An empty sequence does nothing.
        """
        ...

    def subscribe(self, topic: str, group: str) -> Subscription:
        """A new member of the group; a group new to the topic starts with its first message."""
        ...

    def backlog(self, topic: str, group: str) -> Mapping[int, range]:
        """What waits for the group: for each partition of the topic, the offsets from its last commit to the end.

        The end is that of this moment. For a group new to the topic they begin with the first message that is kept.
        Partitions where nothing waits have an empty range: its `start` is how far the group has come. Nobody joins the
        group for this. Raises BusUnavailable.
        """
        ...

    def oldest(self, topic: str, group: str) -> datetime | None:
        """When the oldest message that waits for the group was sent, in UTC; None if nothing waits.

        Nobody joins the group for this, and nothing is taken from it. Raises BusUnavailable.
        """
        ...

    def close(self) -> None:
        """Let go of everything. May be called twice."""
        ...
