"""Asking the brokers whether they are there and know a topic: the clients themselves are silent about both."""

from kafka.client_async import KafkaClient  # type: ignore[import-untyped]  # the stubs are of a newer client
from kafka.errors import UnknownTopicOrPartitionError

from booking_core.domain.errors import BusUnavailable
from booking_kafka.connection import ANY_CLIENT, LOOK_MS, Connection
from booking_kafka.errors import described, translated


def look(connection: Connection, topic: str) -> None:
    """Returns when a broker knows the topic. Raises BusUnavailable, saying what is wrong, within about 2 seconds.

    Over a connection of its own: those of a consumer are silent for as long as its group waits for another member.
    """
    with translated(f"Asking {connection} for topic {topic!r}"):
        client = KafkaClient(**connection.client_config(), **ANY_CLIENT)
        try:
            answer = client.set_topics([topic])
            client.poll(timeout_ms=LOOK_MS, future=answer)
        finally:
            client.close()
    if not answer.is_done:
        raise BusUnavailable(f"No broker of {connection} lets us in, or answers, to say where topic {topic!r} is")
    if isinstance(answer.exception, UnknownTopicOrPartitionError):
        raise BusUnavailable(f"Topic {topic!r} does not exist")
    if answer.failed():
        raise BusUnavailable(f"Asking {connection} for topic {topic!r}: {described(answer.exception)}")
