"""Looking at topics with the bare client, past the adapter under test."""

from collections.abc import Iterable, Mapping, Sequence

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from booking_core.ports import EventBus, Message
from booking_kafka.bus import create
from booking_kafka.connection import Limits
from tests.support.kafka.fixtures import PARTITIONS


def bus_at(bootstrap_servers: str, limits: Limits | None = None, /, **settings: str) -> EventBus:
    """The adapter as the composition makes it; keywords are settings without their prefix."""
    prefixed = {f"BOOKING_KAFKA_{name}": text for name, text in settings.items()}
    return create({"BOOKING_KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers, **prefixed}, limits)


def numbered(numbers: Iterable[int], *, keys: int = 7) -> list[Message]:
    """A message for each number, the numbers dealt out to the keys in turn."""
    return [Message(key=f"key-{number % keys}".encode(), value=str(number).encode()) for number in numbers]


def everything_in(bootstrap_servers: str, topic: str) -> list[ConsumerRecord]:
    """All records of the topic up to now, partition after partition."""
    partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    consumer = KafkaConsumer(bootstrap_servers=bootstrap_servers, api_version=(2, 6), auto_offset_reset="earliest")
    try:
        consumer.assign(partitions)
        ends: Mapping[TopicPartition, int] = consumer.end_offsets(partitions)
        found: dict[TopicPartition, list[ConsumerRecord]] = {partition: [] for partition in partitions}
        while any(consumer.position(partition) != end for partition, end in ends.items()):
            for partition, records in consumer.poll(timeout_ms=500).items():
                found[partition] += records
        return [record for partition in partitions for record in found[partition]]
    finally:
        consumer.close()


def numbers_by_key(records: Iterable[ConsumerRecord]) -> Mapping[bytes, Sequence[int]]:
    """The numbers of each key in the order in which the topic has them."""
    numbers: dict[bytes, list[int]] = {}
    for record in records:
        numbers.setdefault(record.key, []).append(int(record.value))
    return numbers


def assert_all_in_order(by_key: Mapping[bytes, Sequence[int]], published: int) -> None:
    """Every number up to `published` is there, and each key's numbers first appear in order."""
    firsts = {key: list(dict.fromkeys(numbers)) for key, numbers in by_key.items()}
    assert sorted(number for numbers in firsts.values() for number in numbers) == list(range(published))
    for key, numbers in firsts.items():
        assert numbers == sorted(numbers), f"{key!r} is out of order"
