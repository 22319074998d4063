"""How soon an event is on the topic when the worker has nothing else to do (issue: within 200 ms; the test: 2 s)."""

import random
import statistics
import time
from collections.abc import Iterator

import pytest
from kafka import KafkaConsumer, TopicPartition

from tests.integration.kafka.service import Service
from tests.support.kafka.fixtures import PARTITIONS

_GENEROUS_SECONDS = 2.0


@pytest.fixture
def reader(service: Service) -> Iterator[KafkaConsumer]:
    """At the end of every partition of the events topic."""
    consumer = KafkaConsumer(bootstrap_servers=service.servers, api_version=(2, 6), auto_offset_reset="latest")
    consumer.assign([TopicPartition(service.events_topic, number) for number in range(PARTITIONS)])
    consumer.seek_to_end()
    for partition in consumer.assignment():
        consumer.position(partition)
    yield consumer
    consumer.close()


@pytest.mark.parametrize("bookings", [pytest.param(8, id="short"), pytest.param(50, id="long", marks=pytest.mark.soak)])
def test_an_idle_worker_publishes_at_once(service: Service, reader: KafkaConsumer, bookings: int) -> None:
    fixture = service.stage.set_up(seats=bookings + 1)
    seed = random.randrange(2**32)
    chance = random.Random(seed)

    def seconds_until_it_is_there(place: int) -> float:
        key = str(fixture.reserve(place, user=f"user-{place}").booking_id).encode()
        committed, give_up_at = time.perf_counter(), time.monotonic() + 60
        while time.monotonic() < give_up_at:
            found = reader.poll(timeout_ms=500)
            if key in [record.key for records in found.values() for record in records]:
                return time.perf_counter() - committed
        raise AssertionError("it never came")

    with service.running("worker"):
        seconds_until_it_is_there(0)  # its first event: now it is connected
        took = []
        for place in range(1, bookings + 1):
            time.sleep(chance.uniform(0, 0.2))  # at any moment between two of its looks
            took.append(seconds_until_it_is_there(place))

    median, longest = statistics.median(took), max(took)
    print(
        f"commit to topic, of {bookings}: median {median * 1000:.0f} ms, longest {longest * 1000:.0f} ms, seed {seed}"
    )
    assert median < _GENEROUS_SECONDS
