"""A member of a consumer group over Kafka."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import CommitFailedError

from booking_core.errors import BusUnavailable
from booking_core.ports import Delivery
from booking_kafka.connection import Connection
from booking_kafka.deliveries import delivery_of
from booking_kafka.failures import described, translated
from booking_kafka.lookout import look
from booking_kafka.progress import Progress
from booking_kafka.tuning import COMMIT_MS, CONSUMER, LEAVE_MS, POLL_MS, SILENCE_SECONDS

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
