"""Reading what strangers wrote, and what becomes of messages when members of a group come, go and die."""

import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Literal

import pytest
from kafka import KafkaProducer

from booking_core.domain.errors import BusUnavailable
from booking_core.ports import Delivery, EventBus, Subscription
from booking_kafka.connection import Limits
from tests.support.kafka.readers import bus_at, numbered

NewTopic = Callable[[], str]
Compression = Literal["gzip", "lz4", "zstd"]


def receive(subscription: Subscription, number: int) -> list[Delivery]:
    """Poll until so many messages arrived."""
    arrived: list[Delivery] = []
    give_up_at = time.monotonic() + 60
    while len(arrived) < number:
        assert time.monotonic() < give_up_at, f"only {len(arrived)} of {number} arrived"
        arrived += subscription.poll(0.5)
    return arrived


def values(deliveries: list[Delivery]) -> list[int]:
    return sorted(int(delivery.value or b"") for delivery in deliveries)


def test_what_strangers_write(kafka_bootstrap: str, fresh_topic: NewTopic) -> None:
    bus, topic = bus_at(kafka_bootstrap), fresh_topic()
    stranger = KafkaProducer(bootstrap_servers=kafka_bootstrap, api_version=(2, 6))
    stranger.send(topic, partition=0, key=b"gone", value=None)
    stranger.send(topic, partition=0, key=None, value=b"\xff\x00", headers=[("é", b"\xff"), ("é", b"")])
    stranger.send(topic, partition=0, value=b"old", timestamp_ms=1)
    stranger.close()
    subscription = bus.subscribe(topic, topic)

    tombstone, bytes_alone, old = receive(subscription, 3)
    bus.close()

    assert (tombstone.key, tombstone.value) == (b"gone", None)
    assert (bytes_alone.key, bytes_alone.value) == (None, b"\xff\x00")
    assert bytes_alone.headers == (("é", b"\xff"), ("é", b""))
    assert old.timestamp is not None
    assert old.timestamp.isoformat() == "1970-01-01T00:00:00.001000+00:00"


@pytest.mark.parametrize("compression", ["gzip", "lz4", "zstd"])
def test_however_it_is_compressed(kafka_bootstrap: str, fresh_topic: NewTopic, compression: Compression) -> None:
    bus, topic = bus_at(kafka_bootstrap), fresh_topic()
    stranger = KafkaProducer(bootstrap_servers=kafka_bootstrap, api_version=(2, 6), compression_type=compression)
    stranger.send(topic, b"x" * 5000)
    stranger.close()

    (delivery,) = receive(bus.subscribe(topic, topic), 1)
    bus.close()

    assert delivery.value == b"x" * 5000


def test_what_a_transaction_took_back_was_never_said(kafka_bootstrap: str, fresh_topic: NewTopic) -> None:
    bus, topic = bus_at(kafka_bootstrap), fresh_topic()
    stranger = KafkaProducer(bootstrap_servers=kafka_bootstrap, api_version=(2, 6), transactional_id=topic)
    stranger.init_transactions()
    for value, finish in ((b"1", stranger.commit_transaction), (b"2", stranger.abort_transaction)):
        stranger.begin_transaction()
        stranger.send(topic, value, partition=0).get(10)  # type: ignore[no-untyped-call]
        finish()
    stranger.begin_transaction()
    stranger.send(topic, b"3", partition=0)
    stranger.commit_transaction()
    stranger.close()
    subscription = bus.subscribe(topic, topic)

    arrived = receive(subscription, 2)
    subscription.commit()
    bus.close()

    assert values(arrived) == [1, 3]


def test_a_missing_topic_is_reported_after_some_silence(kafka_bootstrap: str) -> None:
    bus = bus_at(kafka_bootstrap, Limits(silence_seconds=0.5))
    subscription = bus.subscribe("never.made", "group.of.never.made")
    with pytest.raises(BusUnavailable, match=r"Topic 'never\.made' does not exist"):
        receive(subscription, 1)
    bus.close()


def test_an_empty_topic_is_no_outage(kafka_bootstrap: str, fresh_topic: NewTopic) -> None:
    bus, topic = bus_at(kafka_bootstrap, Limits(silence_seconds=0.1)), fresh_topic()
    subscription = bus.subscribe(topic, topic)

    assert [list(subscription.poll(0.3)) for _ in range(5)] == [[]] * 5
    bus.close()


class NotUtf8(str):
    """A header's name that only a careless client can write."""

    def encode(self, *_: object) -> bytes:
        return b"\xff\xfe"


def test_a_batch_that_cannot_be_decoded_is_said_at_every_poll_and_hangs_nobody(
    kafka_bootstrap: str, fresh_topic: NewTopic
) -> None:
    bus, topic = bus_at(kafka_bootstrap), fresh_topic()
    stranger = KafkaProducer(bootstrap_servers=kafka_bootstrap, api_version=(2, 6))
    stranger.send(topic, b"1", partition=0)
    stranger.flush()
    stranger.send(topic, b"bad", partition=0, headers=[(NotUtf8("name"), b"")])
    stranger.close()
    subscription = bus.subscribe(topic, topic)

    (good,) = receive(subscription, 1)
    subscription.commit()
    for _ in range(2):
        with pytest.raises(BusUnavailable, match="UnicodeDecodeError"):
            receive(subscription, 1)
        subscription.rewind()
        subscription.commit()
    bus.close()

    assert good.value == b"1"


class Reader:
    """A member of the group in a thread of its own, which commits what it has read when it is told to stop."""

    def __init__(self, bus: EventBus, topic: str) -> None:
        self.read: list[Delivery] = []
        self._bus, self._topic = bus, topic
        self._stop = Event()

    def run(self) -> None:
        subscription = self._bus.subscribe(self._topic, self._topic)
        while not self._stop.is_set():
            self.read += subscription.poll(0.2)
        subscription.commit()

    def stop(self) -> None:
        self._stop.set()


def test_what_a_rebalance_took_away_is_not_committed_and_arrives_again(
    kafka_bootstrap: str, fresh_topic: NewTopic
) -> None:
    bus, topic = bus_at(kafka_bootstrap), fresh_topic()
    bus.publish(topic, numbered(range(40), keys=40))
    first, other = bus.subscribe(topic, topic), Reader(bus, topic)
    receive(first, 40)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(other.run)
        try:
            again = receive(first, 1)  # the other has joined, and this one's new share comes from the start
            with pytest.raises(BusUnavailable, match="group has changed"):
                first.commit()
            while len(again) + len(other.read) < 40:
                again += first.poll(0.2)
            first.commit()
        finally:
            other.stop()
        running.result(30)
    bus.close()

    assert other.read
    assert values([*again, *other.read]) == list(range(40))


@pytest.mark.slow("the ten seconds of a consumer session")
def test_a_member_that_was_killed_leaves_its_messages_to_the_next(kafka_bootstrap: str, fresh_topic: NewTopic) -> None:
    bus, topic = bus_at(kafka_bootstrap), fresh_topic()
    bus.publish(topic, numbered(range(30)))
    program = (
        "import time\n"
        "from booking_kafka.bus import create\n"
        f"bus = create({{'BOOKING_KAFKA_BOOTSTRAP_SERVERS': {kafka_bootstrap!r}}})\n"
        f"subscription, polled = bus.subscribe({topic!r}, {topic!r}), 0\n"
        "while polled < 30: polled += len(subscription.poll(0.5))\n"
        "print('polled', flush=True)\n"
        "time.sleep(600)\n"
    )
    member = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        assert member.stdout is not None
        assert member.stdout.readline() == "polled\n"
    finally:
        member.kill()
        member.communicate(timeout=60)

    again = receive(bus.subscribe(topic, topic), 30)
    bus.close()

    assert values(again) == list(range(30))
