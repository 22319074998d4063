"""Subscription: one member of a consumer group."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Final

import structlog
from attrs import define, field
from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.errors import CommitFailedError

from booking_core.domain.errors import BusUnavailable
from booking_core.ports import Delivery
from booking_kafka.connection import CONSUMER, Connection, described, translated_errors
from booking_kafka.topics import check_topic

_log = structlog.get_logger("booking_kafka")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class KafkaSubscription:
    """`Subscription`. It joins the group with the first poll, and then sends its heartbeats in a thread of its own.

    Its partitions go to other members after 5 minutes without a poll, or 10 seconds without a heartbeat; what was not
    committed is delivered again there. After 10 seconds without a message it checks that the brokers can be reached and
    know the topic, so that an outage is raised as BusUnavailable 12 seconds after its beginning at the latest.
    Messages of aborted transactions are not delivered. A batch that cannot be decoded (its compression is unknown, its
    checksum is wrong) raises BusUnavailable at every poll, until the topic no longer has it.
    """

    def __init__(self, connection: Connection, topic: str, group: str) -> None:
        self.is_open = True
        self._connection, self._limits = connection, connection.limits
        self._topic, self._group = topic, group
        self._lock = Lock()  # another thread may close the bus between two polls of the client
        self._progress = Progress()
        self._reached_at = time.monotonic()
        self._consumer: KafkaConsumer | None = None

    def poll(self, timeout: float) -> Sequence[Delivery]:
        """As the port promises; at most 500 messages. Raises BusUnavailable also if the topic does not exist."""
        give_up_at = time.monotonic() + timeout
        while True:
            left_ms = max(0.0, (give_up_at - time.monotonic()) * 1000)
            with self._in_use("Polling"):
                batches = self._poll_client(min(self._limits.poll_ms, left_ms))
                if batches:
                    self._reached_at = time.monotonic()
                    for partition, records in batches.items():
                        self._progress.polled(partition, first=records[0].offset, last=records[-1].offset)
                    return [delivery_of(record) for records in batches.values() for record in records]
                self._check_after_silence()
            if time.monotonic() >= give_up_at:
                return []

    def commit(self, before: Mapping[int, int] | None = None) -> None:
        """As the port promises; within 5 seconds. Raises BusUnavailable also after a rebalance since the poll."""
        with self._in_use("Committing"):
            is_lost, offsets = self._progress.is_lost, self._progress.offsets(before)
            if self._consumer is not None and offsets:
                try:
                    self._consumer.commit(offsets, timeout_ms=self._limits.commit_ms)
                except CommitFailedError as error:
                    # The next poll joins the group again and starts from the last commit.
                    self._progress.clear()
                    raise _rebalanced() from error
            self._progress.committed(offsets)
            if is_lost:
                raise _rebalanced()

    def rewind(self) -> None:
        """As the port promises; sends nothing to a broker."""
        with self._in_use("Rewinding"):
            if self._consumer is not None:
                assigned = self._consumer.assignment()
                for partition, span in self._progress.spans.items():
                    if partition in assigned:
                        self._consumer.seek(partition, span.first)
            self._progress.clear()

    def close(self) -> None:
        """As the port promises; gives up leaving the group after 2 seconds if its brokers cannot be reached."""
        with self._lock:
            self.is_open = False
            self._leave()

    @contextmanager
    def _in_use(self, doing: str) -> Iterator[None]:
        with self._lock:
            if not self.is_open:
                raise BusUnavailable("The subscription is closed")
            with translated_errors(f"{doing} topic {self._topic!r}"):
                yield

    def _poll_client(self, milliseconds: float) -> Mapping[TopicPartition, Sequence[ConsumerRecord]]:
        consumer = self._joined()
        try:
            return consumer.poll(timeout_ms=milliseconds)
        except Exception as error:
            # After a batch that it cannot decode the client's next poll never returns: only a new client is safe.
            self._leave()
            raise BusUnavailable(f"Polling topic {self._topic!r}: {described(error)}") from error

    def _joined(self) -> KafkaConsumer:
        if self._consumer is None:
            self._consumer = KafkaConsumer(group_id=self._group, **self._connection.client_config(), **CONSUMER)
            self._consumer.subscribe([self._topic], listener=self._progress)
        return self._consumer

    def _leave(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is None:
            return
        self._progress.on_partitions_revoked(consumer.assignment())
        try:
            with translated_errors("Leaving the group"):
                consumer.close(autocommit=False, timeout_ms=self._limits.leave_ms)
        except BusUnavailable as error:
            _log.warning("kafka.left_in_silence", topic=self._topic, group=self._group, error=str(error))

    def _check_after_silence(self) -> None:
        """Raise BusUnavailable if the brokers cannot be reached: an empty poll does not show it."""
        if time.monotonic() - self._reached_at > self._limits.silence_seconds:
            check_topic(self._connection, self._topic)
            self._reached_at = time.monotonic()


@define
class Span:
    """Offsets from `first` to before `end`."""

    first: int
    end: int


@define(eq=False)
class Progress(ConsumerRebalanceListener):
    """The messages polled since the last commit.

    `is_lost`: partitions with polled messages were revoked; those messages are delivered again, here or elsewhere.
    """

    spans: dict[TopicPartition, Span] = field(factory=dict)
    is_lost: bool = False

    def polled(self, partition: TopicPartition, *, first: int, last: int) -> None:
        """Record that the messages from one offset to the other were delivered, after those polled before."""
        span = self.spans.setdefault(partition, Span(first, first))
        span.end = last + 1

    def offsets(self, before: Mapping[int, int] | None = None) -> Mapping[TopicPartition, OffsetAndMetadata]:
        """Return the offset to commit for each partition: that of the next message, and at most that in `before`."""
        ends = {
            partition: span.end if before is None else min(span.end, before.get(partition.partition, span.first))
            for partition, span in self.spans.items()
        }
        return {each: OffsetAndMetadata(end, "", -1) for each, end in ends.items() if end > self.spans[each].first}

    def committed(self, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        """Record a commit; messages beyond these offsets stay polled and not committed."""
        for partition, committed in offsets.items():
            self.spans[partition].first = committed.offset or 0
        self.spans = {partition: span for partition, span in self.spans.items() if span.first < span.end}
        self.is_lost = False

    def clear(self) -> None:
        """Start again: every message is committed or will be delivered again."""
        self.spans.clear()
        self.is_lost = False

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Handle a rebalance: every partition continues from its last commit, at whichever member gets it."""
        self.is_lost = self.is_lost or bool(self.spans)
        self.spans.clear()

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Do nothing: no message of these partitions was polled yet."""


def delivery_of(record: ConsumerRecord) -> Delivery:
    """Return the record unchanged as the port's type; a header without a value becomes an empty one."""
    return Delivery(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp=utc_of(record.timestamp),
        key=record.key,
        value=record.value,
        headers=tuple([(name, value or b"") for name, value in record.headers]),  # faster than from a generator
    )


def utc_of(milliseconds: int | None) -> datetime | None:
    """Return a time in milliseconds since 1970 as a datetime; None if it is absent, negative or after year 9999."""
    if milliseconds is None or milliseconds < 0:
        return None
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None


def _rebalanced() -> BusUnavailable:
    return BusUnavailable("The group has changed since the messages were polled; they arrive again")
