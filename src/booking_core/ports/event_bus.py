"""The event bus port: messages are delivered at least once, and in order per key.

A topic has partitions, and a partition numbers its messages: their offsets. Whether a topic comes into being when it is
first used is the adapter's choice: for one that does not exist, an adapter that makes none raises BusUnavailable.
After `close`, every other call raises BusUnavailable. No call raises an error of the driver.
"""

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
    """A message as it was received, with its position. `headers` are bytes: any producer may have written them.

    Offsets grow within a partition. An adapter counts them by one, in the order in which messages become visible: a
    message never appears behind one that a group has passed. A broker may leave gaps, where a sender's transaction was
    aborted or messages were removed.
    """

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
        """Return the next messages, in order within a partition; empty after `timeout` seconds without any.

        Returns when messages arrive, and waits no longer than `timeout`; at 0 it does not wait.
        A message that was not committed is delivered again: after a restart or a rebalance, or to another member.
        Raises BusUnavailable when the bus cannot be reached; a later call continues where this one stopped.
        """
        ...

    def commit(self, before: Mapping[int, int] | None = None) -> None:
        """Commit everything that `poll` has returned so far; until this returns, it may be delivered again.

        With `before`, commit only smaller offsets than the one given for the partition, and nothing of a partition
        that is not named; the rest stays polled and not committed. It never commits more than was polled, and never
        moves back. A partition that is named and is not this member's is ignored.
        A partition that has gone since the poll, to another member or with its topic, is left alone: what was polled of
        it is delivered again there, and BusUnavailable is raised unless all of it was committed. Whether the other
        partitions are committed is then unknown.
        Raises BusUnavailable; then nothing is lost, and some messages may be delivered again.
        """
        ...

    def rewind(self) -> None:
        """Return to the last commit: the next `poll` returns again what was polled and not committed."""
        ...

    def close(self) -> None:
        """Leave the group without committing. May be called twice."""
        ...


class EventBus(Protocol):
    """A bus that publishes and delivers messages. Safe to use from many threads; connects lazily."""

    def publish(self, topic: str, messages: Sequence[Message]) -> None:
        """Publish the messages, in the given order per key, and return when the bus has stored all of them.

        Raises BusUnavailable when it has not within bounded time: any of them may be stored, and the caller may
        publish them again (at least once). An empty sequence does nothing.
        """
        ...

    def subscribe(self, topic: str, group: str) -> Subscription:
        """Join the group; a group that is new to the topic starts with the first message that is kept."""
        ...

    def backlog(self, topic: str, group: str) -> Mapping[int, range]:
        """Return, for each partition of the topic, the offsets from the group's last commit to the end of this moment.

        For a group that is new to the topic they begin with the first message that is kept. A partition without a
        backlog has an empty range whose `start` is the group's position. Where offsets have gaps, a range is longer
        than the number of its messages, and may hold none. Does not join the group.
        Raises BusUnavailable.
        """
        ...

    def oldest(self, topic: str, group: str) -> datetime | None:
        """Return when the oldest message of the group's backlog was sent, in UTC; None without a backlog.

        Neither joins the group nor consumes anything. Raises BusUnavailable.
        """
        ...

    def close(self) -> None:
        """Close all connections and subscriptions. May be called twice, and while the bus cannot be reached."""
        ...
