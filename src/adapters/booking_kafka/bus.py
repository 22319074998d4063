"""The event bus over Kafka. Importing this needs no client, and making one connects to nothing."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING

from booking_core.domain.errors import BusUnavailable
from booking_core.ports import Finding, Message, Workload
from booking_kafka.connection import Connection

if TYPE_CHECKING:
    from booking_kafka.publishing import TopicPublisher
    from booking_kafka.subscription import KafkaSubscription


class KafkaEventBus:
    """`EventBus`. Each topic that is published to has a producer of its own, so that trouble with one stays there.

    Topics must exist: a missing one is BusUnavailable, with its name, within seconds. Messages are spread over the
    partitions by murmur2 of the key, as the Java client does it; so more partitions, added later, break the order of
    keys in use. A value with its key and headers may have 1 MB (InvalidValue above that).
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = Lock()
        self._is_open = True
        self._publishers: dict[str, TopicPublisher] = {}
        self._subscriptions: list[KafkaSubscription] = []

    def publish(self, topic: str, messages: Sequence[Message]) -> None:
        """As the port says; BusUnavailable after at most 10 seconds without progress.

        Threads that publish to the same topic take turns. See `TopicPublisher` for what happens to messages that are
        under way when this raises.
        """
        if messages:
            self._publisher(topic).publish(messages)

    def subscribe(self, topic: str, group: str) -> "KafkaSubscription":
        """As the port says; joins the group with the first poll."""
        from booking_kafka.subscription import KafkaSubscription

        with self._lock:
            self._refuse_if_closed()
            subscription = KafkaSubscription(self._connection, topic, group)
            self._subscriptions = [*(each for each in self._subscriptions if each.is_open), subscription]
            return subscription

    def backlog(self, topic: str, group: str) -> Mapping[int, range]:
        """As the port says; within about 20 seconds, over a connection of its own."""
        from booking_kafka.backlog import backlog

        with self._lock:
            self._refuse_if_closed()
        return backlog(self._connection, topic, group)

    def oldest(self, topic: str, group: str) -> datetime | None:
        """As the port says, by the time that its sender gave it; within about 30 seconds."""
        from booking_kafka.backlog import oldest

        with self._lock:
            self._refuse_if_closed()
        return oldest(self._connection, topic, group)

    def diagnose(self, workload: Workload) -> Iterable[Finding]:
        """See `booking_core.ports.Diagnosis`."""
        from booking_kafka.diagnosis import diagnose

        return diagnose(self._connection, workload)

    def close(self) -> None:
        """As the port says; takes some seconds for each topic and subscription when brokers are away.

        Messages that are still under way then are logged, and may be delivered for as long as the process lives.
        """
        with self._lock:
            self._is_open = False
            subscriptions, self._subscriptions = self._subscriptions, []
            publishers = list(self._publishers.values())
        for subscription in subscriptions:
            subscription.close()
        for publisher in publishers:
            publisher.close()

    def _publisher(self, topic: str) -> "TopicPublisher":
        from booking_kafka.publishing import TopicPublisher

        with self._lock:
            self._refuse_if_closed()
            if topic not in self._publishers:
                self._publishers[topic] = TopicPublisher(topic, self._connection)
            return self._publishers[topic]

    def _refuse_if_closed(self) -> None:
        if not self._is_open:
            raise BusUnavailable("The bus is closed")
