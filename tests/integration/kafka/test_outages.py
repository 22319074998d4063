"""Brokers that die, freeze and come back: nothing is lost, order per key holds, and nobody waits without end."""

import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from booking_core.domain.errors import BusUnavailable
from booking_core.ports import Delivery, EventBus, Message, Subscription
from booking_kafka.connection import Limits
from tests.support.kafka.broker import KafkaBroker
from tests.support.kafka.fixtures import make_topic
from tests.support.kafka.readers import assert_all_in_order, bus_at, everything_in, numbered, numbers_by_key

_BATCH = 100


def relay(bus: EventBus, topic: str, messages: Sequence[Message], *, pace: float = 0.0) -> int:
    """Publish in batches as the relay does: one that failed is tried again. How many attempts failed."""
    failures, done = 0, 0
    while done < len(messages):
        try:
            bus.publish(topic, messages[done : done + _BATCH])
        except BusUnavailable:
            failures += 1
            assert failures < 600, "the brokers were not found again"
            time.sleep(0.1)
        else:
            done += _BATCH
            time.sleep(pace)
    return failures


def receive_all(
    subscription: Subscription, number: int, *, patience: float = 60.0, seen: Sequence[Delivery] = ()
) -> None:
    """Poll and commit, whatever fails, until all numbers up to this were seen."""
    missing = set(range(number)) - values(seen)
    give_up_at = time.monotonic() + patience
    while missing:
        assert time.monotonic() < give_up_at, f"{len(missing)} of {number} never arrived"
        try:
            missing -= values(subscription.poll(0.5))
            subscription.commit()
        except BusUnavailable:
            continue


def values(deliveries: Sequence[Delivery]) -> set[int]:
    return {int(delivery.value or b"-1") for delivery in deliveries}


def kills(mortal_broker: KafkaBroker, *, rounds: int, seed: int) -> None:
    """Messages are relayed and read while the broker is killed and started again at random moments."""
    moments = random.Random(seed)
    patience = 60.0 + 30.0 * rounds
    topic = make_topic(mortal_broker.bootstrap_servers)
    messages = numbered(range(rounds * 3000))
    relaying, reading = bus_at(mortal_broker.bootstrap_servers), bus_at(mortal_broker.bootstrap_servers)
    with ThreadPoolExecutor(2) as pool:
        published = pool.submit(relay, relaying, topic, messages, pace=0.04)
        read = pool.submit(receive_all, reading.subscribe(topic, topic), len(messages), patience=patience)
        for _ in range(rounds):
            time.sleep(moments.uniform(0.2, 2.0 if rounds == 1 else 8.0))
            mortal_broker.kill()
            mortal_broker.start()
        published.result(patience)
        read.result(patience)
    relaying.close()
    reading.close()

    assert_all_in_order(numbers_by_key(everything_in(mortal_broker.bootstrap_servers, topic)), published=len(messages))


def test_a_broker_killed_in_the_middle_loses_nothing(mortal_broker: KafkaBroker) -> None:
    seed = random.randrange(2**32)
    print(f"{seed=}")
    kills(mortal_broker, rounds=1, seed=seed)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_broker_killed_many_times_loses_nothing(mortal_broker: KafkaBroker) -> None:
    seed = random.randrange(2**32)
    print(f"{seed=}")
    kills(mortal_broker, rounds=12, seed=seed)


def freeze(mortal_broker: KafkaBroker, *, bound: float, seconds: float, limits: Limits | None = None) -> None:
    """Everything that is asked of a frozen broker fails within `bound`; afterwards all goes on where it was."""
    topic = make_topic(mortal_broker.bootstrap_servers)
    bus = bus_at(mortal_broker.bootstrap_servers, limits)
    messages = numbered(range(900))
    bus.publish(topic, messages[:100])
    subscription = bus.subscribe(topic, topic)
    polled: list[Delivery] = []
    while len(polled) < 100:
        polled += subscription.poll(0.5)

    mortal_broker.freeze()
    frozen_at = time.monotonic()
    try:
        asked: list[Callable[[], None]] = [
            lambda: bus.publish(topic, messages[100:700]),
            lambda: bus.publish(topic, messages[100:700]),
            subscription.commit,
            lambda: _poll_until_it_fails(subscription),
        ]
        for ask in asked:
            started = time.monotonic()
            with pytest.raises(BusUnavailable):
                ask()
            assert time.monotonic() - started < bound
        time.sleep(max(0.0, frozen_at + seconds - time.monotonic()))
    finally:
        mortal_broker.thaw()

    relay(bus, topic, messages[100:800])
    bus.publish(topic, messages[800:])
    receive_all(subscription, 900, seen=polled)  # the commit that failed is made up for by the next
    bus.close()

    by_key = numbers_by_key(everything_in(mortal_broker.bootstrap_servers, topic))
    assert_all_in_order(by_key, published=900)
    # The window of 500 that was under way went out once, and all but the first batch of it was then sent again.
    assert sum(map(len, by_key.values())) <= 900 + 400


def _poll_until_it_fails(subscription: Subscription) -> None:
    while True:
        subscription.poll(0.5)


@pytest.mark.slow("a broker that does not answer")
def test_calls_to_a_frozen_broker_are_bounded(mortal_broker: KafkaBroker) -> None:
    limits = Limits(acknowledge_seconds=1.0, silence_seconds=1.0, commit_ms=1000)
    freeze(mortal_broker, bound=6.0, seconds=0.0, limits=limits)


@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seconds", [15.0, 40.0])
def test_calls_to_a_frozen_broker_with_the_limits_of_production(mortal_broker: KafkaBroker, seconds: float) -> None:
    freeze(mortal_broker, bound=16.0, seconds=seconds)


@pytest.mark.slow("a broker that does not answer")
def test_messages_in_flight_are_not_doubled_by_a_retry(mortal_broker: KafkaBroker) -> None:
    topic = make_topic(mortal_broker.bootstrap_servers)
    bus = bus_at(mortal_broker.bootstrap_servers, Limits(acknowledge_seconds=1.0))
    messages = numbered(range(300))
    bus.publish(topic, messages[:1])
    mortal_broker.freeze()
    try:
        with pytest.raises(BusUnavailable, match=r"200 messages to topic .* were not acknowledged in 1 s"):
            bus.publish(topic, messages[1:201])
    finally:
        mortal_broker.thaw()

    give_up_at = time.monotonic() + 30
    while True:
        try:
            bus.publish(topic, messages[1:])
            break
        except BusUnavailable:
            assert time.monotonic() < give_up_at
    bus.close()

    numbers = numbers_by_key(everything_in(mortal_broker.bootstrap_servers, topic))
    assert sorted(number for of_key in numbers.values() for number in of_key) == list(range(300))


@pytest.mark.slow("a broker that does not answer")
def test_closing_while_the_broker_is_frozen_is_bounded(mortal_broker: KafkaBroker) -> None:
    topic = make_topic(mortal_broker.bootstrap_servers)
    bus = bus_at(mortal_broker.bootstrap_servers, Limits(acknowledge_seconds=0.5, close_seconds=1.0))
    bus.publish(topic, numbered(range(10)))
    subscription = bus.subscribe(topic, topic)
    while not subscription.poll(0.5):
        pass
    mortal_broker.freeze()
    try:
        with pytest.raises(BusUnavailable):
            bus.publish(topic, numbered(range(10, 20)))
        started = time.monotonic()
        bus.close()
        took = time.monotonic() - started
    finally:
        mortal_broker.thaw()

    assert took < 6
    with pytest.raises(BusUnavailable, match="closed"):
        subscription.poll(0.1)
