"""Publishing over a real broker, when it goes well and when the broker says no."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.partitioner.default import murmur2

from booking_core.domain.errors import BusUnavailable, InvalidValue
from booking_core.ports import Message
from tests.support.kafka.broker.server import free_ports
from tests.support.kafka.fixtures import PARTITIONS
from tests.support.kafka.readers import assert_all_in_order, bus_at, everything_in, numbered, numbers_by_key

NewTopic = Callable[[], str]


def test_threads_share_a_bus(kafka_bootstrap: str, fresh_topic: NewTopic) -> None:
    bus, topic = bus_at(kafka_bootstrap), fresh_topic()

    def publish(thread: int) -> None:
        for first in range(0, 300, 60):
            bus.publish(topic, [*numbered(range(1000 * thread + first, 1000 * thread + first + 60), keys=3)])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(publish, range(8)))
    bus.close()

    numbers = numbers_by_key(everything_in(kafka_bootstrap, topic))
    arrived = sorted(number for of_key in numbers.values() for number in of_key)
    assert arrived == [1000 * thread + number for thread in range(8) for number in range(300)]
    for of_key in numbers.values():
        for thread in range(8):
            of_thread = [number for number in of_key if number // 1000 == thread]
            assert of_thread == sorted(of_thread)


def test_keys_go_where_other_clients_look_for_them(kafka_bootstrap: str, fresh_topic: NewTopic) -> None:
    bus, topic = bus_at(kafka_bootstrap), fresh_topic()
    bus.publish(topic, numbered(range(50), keys=50))
    bus.close()

    for record in everything_in(kafka_bootstrap, topic):
        assert record.partition == (murmur2(record.key) & 0x7FFFFFFF) % PARTITIONS


def test_a_missing_topic_is_named_in_bounded_time_and_not_made(kafka_bootstrap: str) -> None:
    bus, name = bus_at(kafka_bootstrap), f"missing.{os.urandom(4).hex()}"
    started = time.monotonic()
    with pytest.raises(BusUnavailable, match=f"Topic '{name}' does not exist"):
        bus.publish(name, numbered(range(1)))
    took = time.monotonic() - started
    bus.close()

    assert took < 8
    admin = KafkaAdminClient(bootstrap_servers=kafka_bootstrap, api_version=(2, 6))
    assert name not in admin.list_topics()
    admin.close()


def test_a_message_beyond_a_megabyte_is_an_error_of_the_caller(kafka_bootstrap: str, fresh_topic: NewTopic) -> None:
    bus, topic = bus_at(kafka_bootstrap), fresh_topic()
    with pytest.raises(InvalidValue, match=topic):
        bus.publish(topic, [Message(key=b"k", value=os.urandom(1_048_576))])
    bus.publish(topic, [Message(key=b"k", value=os.urandom(900_000), headers={"reason": "x" * 500})])
    bus.close()

    assert [len(record.value) for record in everything_in(kafka_bootstrap, topic)] == [900_000]


def test_a_refusal_of_the_broker_does_not_stop_what_comes_after(kafka_bootstrap: str, fresh_topic: NewTopic) -> None:
    bus, topic = bus_at(kafka_bootstrap), fresh_topic()
    admin = KafkaAdminClient(bootstrap_servers=kafka_bootstrap, api_version=(2, 6))
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs={"max.message.bytes": "10000"})])
    admin.close()

    bus.publish(topic, numbered(range(3)))
    with pytest.raises(BusUnavailable, match=f"Topic '{topic}' refused messages: .*MessageSizeTooLarge"):
        bus.publish(topic, [Message(key=b"key-0", value=os.urandom(50_000))])
    bus.publish(topic, numbered(range(3, 10)))
    bus.close()

    assert_all_in_order(numbers_by_key(everything_in(kafka_bootstrap, topic)), published=10)


def test_a_program_whose_brokers_are_away_ends_in_bounded_time() -> None:
    (port,) = free_ports(1)
    program = (
        "from booking_core.domain.errors import BusUnavailable\n"
        "from booking_core.ports import Message\n"
        "from booking_kafka.bus import create\n"
        f"bus = create({{'BOOKING_KAFKA_BOOTSTRAP_SERVERS': '127.0.0.1:{port}'}})\n"
        "try:\n"
        "    bus.publish('topic', [Message(key=b'', value=b'')])\n"
        "except BusUnavailable as error:\n"
        "    print(error)\n"
        "bus.close()\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)

    assert run.stdout == f"No broker of 127.0.0.1:{port} lets us in, or answers, to say where topic 'topic' is\n"
    assert "Traceback" not in run.stderr
