"""Topics: check that one exists, and create them for tests and development. In production an operator creates them."""

import time
from collections.abc import Iterable
from typing import Final

from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from kafka.client_async import KafkaClient  # type: ignore[import-untyped]  # the stubs are of a newer client
from kafka.errors import TopicAlreadyExistsError, UnknownTopicOrPartitionError

from booking_core.domain.errors import BusUnavailable
from booking_kafka.connection import ANY_CLIENT, Connection, described, translated_errors

# Seconds until all brokers know a new topic.
_CREATION_TIMEOUT: Final = 10.0
_RETRY_SECONDS: Final = 0.05  # between two checks of a new topic


def check_topic(connection: Connection, topic: str) -> None:
    """Return if a broker knows the topic; else raise BusUnavailable with the reason, within about 2 seconds.

    The clients themselves report neither a missing topic nor missing brokers. This uses a connection of its own: a
    consumer's connections answer nothing while its group waits for another member.
    """
    with translated_errors(f"Asking {connection} for topic {topic!r}"):
        client = KafkaClient(**connection.client_config(), **ANY_CLIENT)
        try:
            answer = client.set_topics([topic])
            client.poll(timeout_ms=connection.limits.check_ms, future=answer)
        finally:
            client.close()
    if not answer.is_done:
        raise BusUnavailable(f"No broker of {connection} lets us in, or answers, to say where topic {topic!r} is")
    if isinstance(answer.exception, UnknownTopicOrPartitionError):
        raise BusUnavailable(f"Topic {topic!r} does not exist")
    if answer.failed():
        raise BusUnavailable(f"Asking {connection} for topic {topic!r}: {described(answer.exception)}")


def ensure_topics(connection: Connection, names: Iterable[str], *, partitions: int = 6) -> None:
    """Create the topics that do not exist, with so many partitions and one replica, and wait until clients find them.

    An existing topic stays as it is, whatever its partitions. Raises BusUnavailable.
    """
    wanted = tuple(names)
    with translated_errors("Making topics"):
        admin = KafkaAdminClient(**connection.client_config(), client_id="booking-core", request_timeout_ms=10_000)
        try:
            for name in wanted:
                _ensure(admin, name, partitions)
        finally:
            admin.close()
    for name in wanted:
        _await_topic(connection, name)


def _ensure(admin: KafkaAdminClient, name: str, partitions: int) -> None:
    try:
        admin.create_topics([NewTopic(name, num_partitions=partitions, replication_factor=1)])
    except TopicAlreadyExistsError:
        return


def _await_topic(connection: Connection, name: str) -> None:
    give_up_at = time.monotonic() + _CREATION_TIMEOUT
    while True:
        try:
            return check_topic(connection, name)
        except BusUnavailable:
            if time.monotonic() >= give_up_at:
                raise
        time.sleep(_RETRY_SECONDS)
