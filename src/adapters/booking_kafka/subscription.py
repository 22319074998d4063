"""A member of a consumer group over Kafka."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from attrs import define, field
from kafka import OffsetAndMetadata, TopicPartition
from kafka.consumer.subscription_state import ConsumerRebalanceListener

from booking_core.ports import Delivery

if TYPE_CHECKING:
    from kafka.consumer.fetcher import ConsumerRecord
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock

import structlog
from kafka import KafkaConsumer
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import CommitFailedError

from booking_core.domain.errors import BusUnavailable
from booking_kafka.broker_check import look
from booking_kafka.connection import COMMIT_MS, CONSUMER, LEAVE_MS, POLL_MS, SILENCE_SECONDS, Connection
from booking_kafka.errors import described, translated


@define
class Span:
    """Offsets from `first` to before `end`."""

    first: int
    end: int


@define(eq=False)
class Progress(ConsumerRebalanceListener):
    """What was polled since the last commit.

    `lost` says that partitions were taken away with polled messages on them: those arrive again, here or elsewhere.
    """

    spans: dict[TopicPartition, Span] = field(factory=dict)
    lost: bool = False

    def polled(self, partition: TopicPartition, *, first: int, last: int) -> None:
        """The messages from one offset to the other were handed out; each poll's come after those before."""
        span = self.spans.setdefault(partition, Span(first, first))
        span.end = last + 1

    def offsets(self, before: Mapping[int, int] | None = None) -> Mapping[TopicPartition, OffsetAndMetadata]:
        """What to commit: for each partition, the offset of the next message; none beyond its mark in `before`."""
        ends = {
            partition: span.end if before is None else min(span.end, before.get(partition.partition, span.first))
            for partition, span in self.spans.items()
        }
        return {each: OffsetAndMetadata(end, "", -1) for each, end in ends.items() if end > self.spans[each].first}

    def committed(self, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        """So far it is done; what was polled beyond counts as polled still."""
        for partition, committed in offsets.items():
            self.spans[partition].first = committed.offset or 0
        self.spans = {partition: span for partition, span in self.spans.items() if span.first < span.end}
        self.lost = False

    def forget(self) -> None:
        """It is committed, or arrives again."""
        self.spans.clear()
        self.lost = False

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """The group shares out its partitions anew; whoever gets one starts from its last commit."""
        self.lost = self.lost or bool(self.spans)
        self.spans.clear()

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Nothing was polled from them yet."""


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def delivery_of(record: "ConsumerRecord") -> Delivery:
    """The record, with nothing changed; a header without a value has an empty one."""
    return Delivery(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp=moment(record.timestamp),
        key=record.key,
        value=record.value,
        headers=tuple([(name, value or b"") for name, value in record.headers]),  # a list is the faster way there
    )


def moment(milliseconds: int | None) -> datetime | None:
    """The moment so long after 1970, in UTC; None if there is none, or it is beyond the calendar."""
    if milliseconds is None or milliseconds < 0:
        return None
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None


_log = structlog.get_logger("booking_kafka")


class KafkaSubscription:
    """`Subscription`. It joins the group with the first poll, and then sends its heartbeats in a thread of its own.

    Between two polls may lie 5 minutes, and 10 seconds without a sign of life of the process: then its partitions go
    to other members, and what was not committed arrives again there. After 10 seconds without a message the brokers
    are asked whether they are there and know the topic, so an outage is BusUnavailable 12 seconds after it began at
    the latest. What the sender's transactions took back is not delivered. A batch that can't be decoded (its
    compression is unknown, its checksum is wrong) is BusUnavailable at every poll, until the topic no longer has it.
    """

    def __init__(self, connection: Connection, topic: str, group: str) -> None:
        self.is_open = True
        self._connection, self._topic, self._group = connection, topic, group
        self._lock = Lock()  # another thread may close the bus between two chunks of a poll
        self._progress = Progress()
        self._heard_at = time.monotonic()
        self._consumer: KafkaConsumer | None = None

    def poll(self, timeout: float) -> Sequence[Delivery]:
        """As the port says; at most 500 messages. Raises BusUnavailable too when the topic does not exist."""
        give_up_at = time.monotonic() + timeout
        while True:
            left_ms = max(0.0, (give_up_at - time.monotonic()) * 1000)
            with self._in_use("Polling"):
                batches = self._batches(min(POLL_MS, left_ms))
                if batches:
                    self._heard_at = time.monotonic()
                    for partition, records in batches.items():
                        self._progress.polled(partition, first=records[0].offset, last=records[-1].offset)
                    return [delivery_of(record) for records in batches.values() for record in records]
                self._look_after_silence()
            if time.monotonic() >= give_up_at:
                return []

    def commit(self, before: Mapping[int, int] | None = None) -> None:
        """As the port says; within 5 seconds. BusUnavailable too when the group has changed since the poll."""
        with self._in_use("Committing"):
            lost, offsets = self._progress.lost, self._progress.offsets(before)
            if self._consumer is not None and offsets:
                try:
                    self._consumer.commit(offsets, timeout_ms=COMMIT_MS)
                except CommitFailedError as error:
                    # The next poll joins the group anew and starts from what was committed.
                    self._progress.forget()
                    raise _changed() from error
            self._progress.committed(offsets)
            if lost:
                raise _changed()

    def rewind(self) -> None:
        """As the port says; asks no broker."""
        with self._in_use("Rewinding"):
            if self._consumer is not None:
                assigned = self._consumer.assignment()
                for partition, span in self._progress.spans.items():
                    if partition in assigned:
                        self._consumer.seek(partition, span.first)
            self._progress.forget()

    def close(self) -> None:
        """As the port says; a group whose brokers are away is left behind after 2 seconds."""
        with self._lock:
            self.is_open = False
            self._leave()

    @contextmanager
    def _in_use(self, doing: str) -> Iterator[None]:
        with self._lock:
            if not self.is_open:
                raise BusUnavailable("The subscription is closed")
            with translated(f"{doing} topic {self._topic!r}"):
                yield

    def _batches(self, milliseconds: float) -> Mapping[TopicPartition, Sequence[ConsumerRecord]]:
        consumer = self._joined()
        try:
            return consumer.poll(timeout_ms=milliseconds)
        except Exception as error:
            # After a batch that it can't decode the client's next poll never returns: only a new one is safe.
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
            with translated("Leaving the group"):
                consumer.close(autocommit=False, timeout_ms=LEAVE_MS)
        except BusUnavailable as error:
            _log.warning("kafka.left_in_silence", topic=self._topic, group=self._group, error=str(error))

    def _look_after_silence(self) -> None:
        """An empty poll looks the same whether nobody wrote or nobody is there."""
        if time.monotonic() - self._heard_at > SILENCE_SECONDS:
            look(self._connection, self._topic)
            self._heard_at = time.monotonic()


def _changed() -> BusUnavailable:
    return BusUnavailable("The group has changed since the messages were polled; they arrive again")
