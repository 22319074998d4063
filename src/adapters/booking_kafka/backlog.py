"""The backlog of a consumer group, and the age of its oldest message, without joining the group."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from kafka import KafkaConsumer, TopicPartition

from booking_core.domain.errors import BusUnavailable
from booking_kafka.connection import CONSUMER, Connection, translated_errors
from booking_kafka.topics import check_topic

_ANSWER_MS: Final = 5000  # for one request to a broker
_POLL_MS: Final = 500  # for one poll of the client
# The client demands that a session be shorter than a request. There is no session here: no consumer joins the group.
_NOT_JOINING: Final[Mapping[str, Any]] = {
    "request_timeout_ms": _ANSWER_MS,
    "session_timeout_ms": 3000,
    "heartbeat_interval_ms": 1000,
}


def backlog(connection: Connection, topic: str, group: str) -> Mapping[int, range]:
    """See `EventBus.backlog`; within about 20 seconds.

    A range ends with the last message that its sender's transaction has committed. In a topic that is compacted or
    written to in transactions, offsets have gaps, so that a range may be longer than its number of messages.
    """
    with _consumer(connection, topic, group) as consumer:
        return _backlog(consumer, topic)


def oldest(connection: Connection, topic: str, group: str) -> datetime | None:
    """See `EventBus.oldest`; within about 30 seconds."""
    with _consumer(connection, topic, group) as consumer:
        starts = {number: offsets.start for number, offsets in _backlog(consumer, topic).items() if offsets}
        consumer.assign([TopicPartition(topic, number) for number in starts])
        for number, start in starts.items():
            consumer.seek(TopicPartition(topic, number), start)
        sent: dict[int, int] = {}
        give_up_at = time.monotonic() + _ANSWER_MS / 1000
        while len(sent) < len(starts) and time.monotonic() < give_up_at:
            for partition, records in consumer.poll(timeout_ms=_POLL_MS).items():
                # Later messages of a partition are younger.
                sent.setdefault(partition.partition, records[0].timestamp)
        if len(sent) < len(starts):
            raise BusUnavailable(f"Topic {topic!r} has messages, and the brokers did not hand them over")
    return min((datetime.fromtimestamp(at / 1000, UTC) for at in sent.values()), default=None)


@contextmanager
def _consumer(connection: Connection, topic: str, group: str) -> Iterator[KafkaConsumer]:
    """Open a consumer that names the group and never joins it."""
    check_topic(connection, topic)
    with translated_errors(f"Asking {connection} what waits for group {group!r} in topic {topic!r}"):
        consumer = KafkaConsumer(group_id=group, **connection.client_config(), **{**CONSUMER, **_NOT_JOINING})
        try:
            yield consumer
        finally:
            consumer.close(autocommit=False, timeout_ms=_ANSWER_MS)


def _backlog(consumer: KafkaConsumer, topic: str) -> Mapping[int, range]:
    partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))]
    if not partitions:
        raise BusUnavailable(f"Topic {topic!r} does not exist")
    # The group's offsets first: messages that arrive in between belong to the backlog, too.
    committed = {each: consumer.committed(each, timeout_ms=_ANSWER_MS) for each in partitions}
    first, end = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
    backlogs: dict[int, range] = {}
    for each in partitions:
        offset = committed[each]
        # A commit may lie before the first message that is kept or, in a topic that was created anew, behind the end.
        start = first[each] if offset is None else min(max(offset, first[each]), end[each])
        backlogs[each.partition] = range(start, end[each])
    return backlogs
