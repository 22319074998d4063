"""A real Kafka: the brokers of BOOKING_TEST_KAFKA_BOOTSTRAP_SERVERS, else one of the benchmark's own.

The supervisor of that one is the tests' (`tests/support/kafka/broker`): benchmarks, like tests, are run from the
sources, and a second recipe for the same broker would only drift from the first.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from attrs import frozen
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import NewTopic

from benchmarks.errors import BenchmarkFailed
from booking_kafka.connection import Connection
from booking_kafka.topics import ensure_topics
from tests.support.kafka.broker import KafkaBroker, NotInstalled, java, libraries
from tests.support.kafka.certificates import write_certificates

PARTITIONS: Final = 6


@frozen
class Brokers:
    """Brokers to connect to, and topics that nobody else uses."""

    servers: str

    @contextmanager
    def topic(self, *, stamped_by_broker: bool = False) -> Iterator[str]:
        """The name of a new topic with 6 partitions, deleted afterwards.

        `stamped_by_broker`: a record's timestamp says when the broker has written it, not when the client sent it.
        """
        name = f"bench.{os.getpid()}.{os.urandom(4).hex()}"
        configs = {"message.timestamp.type": "LogAppendTime"} if stamped_by_broker else {}
        with self._admin() as admin:
            admin.create_topics([NewTopic(name, PARTITIONS, 1, topic_configs=configs)])
        # Waits until clients are told of it.
        ensure_topics(Connection(bootstrap_servers=tuple(self.servers.split(","))), [name])
        try:
            yield name
        finally:
            with self._admin() as admin:
                admin.delete_topics([name])

    def messages_in(self, topic: str) -> int:
        """How many messages the topic has."""
        consumer = KafkaConsumer(bootstrap_servers=self.servers, api_version=(2, 6))
        try:
            ends = consumer.end_offsets([TopicPartition(topic, number) for number in range(PARTITIONS)])
            return int(sum(ends.values()))
        finally:
            consumer.close()

    def settings(self, **more: str) -> dict[str, str]:
        """What a command is told to use these brokers."""
        return {"BOOKING_EVENT_BUS": "kafka", "BOOKING_KAFKA_BOOTSTRAP_SERVERS": self.servers, **more}

    @contextmanager
    def _admin(self) -> Iterator[Any]:
        admin = KafkaAdminClient(bootstrap_servers=self.servers, api_version=(2, 6), request_timeout_ms=20_000)
        try:
            yield admin
        finally:
            admin.close()


@contextmanager
def real_brokers() -> Iterator[Brokers]:
    """The brokers of the environment, or one that is started for the block. BenchmarkFailed says what to install."""
    named = os.environ.get("BOOKING_TEST_KAFKA_BOOTSTRAP_SERVERS")
    if named:
        yield Brokers(named)
        return
    try:
        program, jars = java(), libraries()
    except NotInstalled as error:
        raise BenchmarkFailed(str(error).replace("to test", "to measure")) from error
    directory = Path(tempfile.mkdtemp(prefix="booking-bench-kafka-"))
    try:
        broker = KafkaBroker(directory, java=program, libraries=jars, keys=write_certificates(directory))
        try:
            broker.start()
            yield Brokers(broker.bootstrap_servers)
        finally:
            broker.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
