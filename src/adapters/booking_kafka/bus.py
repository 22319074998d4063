"""The event bus over Kafka. Importing this module needs no client library, and a new bus connects to nothing."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING

from attrs import evolve

from booking_core.domain.errors import BusUnavailable
from booking_core.ports import Finding, Message, Workload
from booking_kafka.connection import Connection, Limits

if TYPE_CHECKING:
    from booking_kafka.publishing import TopicPublisher
    from booking_kafka.subscription import KafkaSubscription


def create(settings: Mapping[str, str], limits: Limits | None = None) -> "KafkaEventBus":
    """Create the bus from `BOOKING_KAFKA_…`: the entry point `kafka` of the group `booking.event_bus`.

    Reads no environment. Raises InvalidValue, naming the setting, if one is missing, malformed or contradicts another.
    """
    connection = Connection.from_settings(settings)
    return KafkaEventBus(connection if limits is None else evolve(connection, limits=limits))


class KafkaEventBus:
    """`EventBus`. Each topic has a producer of its own, so that a failure of one topic does not affect the others.

    Topics must exist: for a missing one, BusUnavailable with its name is raised within seconds. Keys are mapped to
    partitions by murmur2, as in the Java client, so adding partitions later breaks the order of keys in use. A value
    with its key and headers may have 1 MB; a larger one raises InvalidValue.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = Lock()
        self._is_open = True
        self._publishers: dict[str, TopicPublisher] = {}
        self._subscriptions: list[KafkaSubscription] = []

    def publish(self, topic: str, messages: Sequence[Message]) -> None:
        """As the port promises; raises BusUnavailable after at most 10 seconds without progress.

        Threads that publish to the same topic do so one after the other. `TopicPublisher` documents the
        messages that are in flight when this raises.
        """
        if messages:
            self._publisher(topic).publish(messages)

    def subscribe(self, topic: str, group: str) -> "KafkaSubscription":
        """As the port promises; the first poll joins the group."""
        from booking_kafka.subscription import KafkaSubscription

        with self._lock:
            self._check_open()
            subscription = KafkaSubscription(self._connection, topic, group)
            self._subscriptions = [*(each for each in self._subscriptions if each.is_open), subscription]
            return subscription

    def backlog(self, topic: str, group: str) -> Mapping[int, range]:
        """As the port promises; within about 20 seconds, over a connection of its own."""
        from booking_kafka.backlog import backlog

        with self._lock:
            self._check_open()
        return backlog(self._connection, topic, group)

    def oldest(self, topic: str, group: str) -> datetime | None:
        """As the port promises, by the sender's timestamp; within about 30 seconds."""
        from booking_kafka.backlog import oldest

        with self._lock:
            self._check_open()
        return oldest(self._connection, topic, group)

    def diagnose(self, workload: Workload) -> Iterable[Finding]:
        """See `booking_core.ports.Diagnosis`."""
        from booking_kafka.diagnosis import diagnose

        return diagnose(self._connection, workload)

    def close(self) -> None:
        """As the port promises; takes some seconds for each topic and subscription if no broker can be reached.

        Messages that are still in flight then are logged, and may be delivered for as long as the process lives.
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
            self._check_open()
            if topic not in self._publishers:
                self._publishers[topic] = TopicPublisher(topic, self._connection)
            return self._publishers[topic]

    def _check_open(self) -> None:
        if not self._is_open:
            raise BusUnavailable("The bus is closed")
