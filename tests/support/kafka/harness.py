"""The Kafka bus, given to the contract suite."""

from collections.abc import Mapping
from datetime import datetime

from booking_kafka.bus import KafkaEventBus
from booking_kafka.connection import Connection, Limits
from booking_kafka.subscription import KafkaSubscription
from tests.support.kafka.fixtures import make_topic


class _OwnGroups(KafkaEventBus):
    """Groups are known to all users of the brokers: the suite's short names must not meet those of another run."""

    def subscribe(self, topic: str, group: str) -> KafkaSubscription:
        return super().subscribe(topic, f"{group}.of.{topic}")

    def backlog(self, topic: str, group: str) -> Mapping[int, range]:
        return super().backlog(topic, f"{group}.of.{topic}")

    def oldest(self, topic: str, group: str) -> datetime | None:
        return super().oldest(topic, f"{group}.of.{topic}")


class KafkaEventBusHarness:
    """A bus over brokers that other tests use too: what is its own are topics and groups."""

    timeout_seconds = 60.0

    def __init__(self, bootstrap_servers: str) -> None:
        self._servers = bootstrap_servers
        self.bus = _OwnGroups(Connection(bootstrap_servers=tuple(bootstrap_servers.split(","))))

    def new_topic(self) -> str:
        return make_topic(self._servers)

    def unreachable(self) -> KafkaEventBus:
        limits = Limits(silence_seconds=1.0, check_ms=500)
        return KafkaEventBus(Connection(bootstrap_servers=("127.0.0.1:1",), limits=limits))

    def close(self) -> None:
        self.bus.close()
