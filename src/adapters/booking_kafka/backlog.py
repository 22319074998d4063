"""What waits for a group, and since when, asked of the brokers without joining it."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from kafka import KafkaConsumer, TopicPartition

from booking_core.domain.errors import BusUnavailable
from booking_kafka.broker_check import look
from booking_kafka.connection import CONSUMER, Connection
from booking_kafka.errors import translated

_ANSWER_MS: Final = 5000
_POLL_MS: Final = 500
# The client wants a session to be shorter than a request; there is no session here, for nobody joins.
_QUIET: Final[Mapping[str, Any]] = {
    "request_timeout_ms": _ANSWER_MS,
    "session_timeout_ms": 3000,
    "heartbeat_interval_ms": 1000,
}


def backlog(connection: Connection, topic: str, group: str) -> Mapping[int, range]:
    """See `EventBus.backlog`; within about 20 seconds.

    The end is that of what senders' transactions have committed. Offsets may have gaps, so that fewer messages may
    wait than the ranges are long; there are none in topics that nobody writes to in transactions or compacts.
    """
    with _asking(connection, topic, group) as consumer:
        return _asked(consumer, topic)


def oldest(connection: Connection, topic: str, group: str) -> datetime | None:
    """See `EventBus.oldest`; within about 30 seconds."""
    with _asking(connection, topic, group) as consumer:
        starts = {number: offsets.start for number, offsets in _asked(consumer, topic).items() if offsets}
        consumer.assign([TopicPartition(topic, number) for number in starts])
        for number, start in starts.items():
            consumer.seek(TopicPartition(topic, number), start)
        sent: dict[int, int] = {}
        give_up_at = time.monotonic() + _ANSWER_MS / 1000
        while len(sent) < len(starts) and time.monotonic() < give_up_at:
            for partition, records in consumer.poll(timeout_ms=_POLL_MS).items():
                # What comes later in a partition is younger, and another poll may bring it.
                sent.setdefault(partition.partition, records[0].timestamp)
        if len(sent) < len(starts):
            raise BusUnavailable(f"Topic {topic!r} has messages, and the brokers did not hand them over")
    return min((datetime.fromtimestamp(at / 1000, UTC) for at in sent.values()), default=None)


@contextmanager
def _asking(connection: Connection, topic: str, group: str) -> Iterator[KafkaConsumer]:
    """A consumer that names the group and never joins it."""
    look(connection, topic)
    with translated(f"Asking {connection} what waits for group {group!r} in topic {topic!r}"):
        consumer = KafkaConsumer(group_id=group, **connection.client_config(), **{**CONSUMER, **_QUIET})
        try:
            yield consumer
        finally:
            consumer.close(autocommit=False, timeout_ms=_ANSWER_MS)


def _asked(consumer: KafkaConsumer, topic: str) -> Mapping[int, range]:
    partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))]
    if not partitions:
        raise BusUnavailable(f"Topic {topic!r} does not exist")
    # The group first: what arrives in between waits as well.
    committed = {each: consumer.committed(each, timeout_ms=_ANSWER_MS) for each in partitions}
    first, end = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
    found: dict[int, range] = {}
    for each in partitions:
        come = committed[each]
        # A commit may lie before the first message that is still kept or, in a topic made anew, behind the end.
        start = first[each] if come is None else min(max(come, first[each]), end[each])
        found[each.partition] = range(start, end[each])
    return found
