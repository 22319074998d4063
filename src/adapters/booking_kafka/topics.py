"""Making topics, for tests and for development. In production they are made by whoever runs the brokers."""

from collections.abc import Iterable

from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from kafka.errors import TopicAlreadyExistsError

from booking_kafka.connection import Connection
from booking_kafka.failures import translated


def ensure_topics(connection: Connection, names: Iterable[str], *, partitions: int = 6) -> None:
    """Make the topics that do not exist yet, with so many partitions, each kept by one broker.

    One that exists stays as it is, whatever its partitions. Raises BusUnavailable.
    """
    with translated("Making topics"):
        admin = KafkaAdminClient(**connection.client_config(), client_id="booking-core", request_timeout_ms=10_000)
        try:
            for name in names:
                _ensure(admin, name, partitions)
        finally:
            admin.close()


def _ensure(admin: KafkaAdminClient, name: str, partitions: int) -> None:
    try:
        admin.create_topics([NewTopic(name, num_partitions=partitions, replication_factor=1)])
    except TopicAlreadyExistsError:
        return
