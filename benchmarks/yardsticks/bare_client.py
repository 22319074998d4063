"""The yardstick for Kafka: the bare client in a loop, with the settings that our adapter gives it."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from kafka import KafkaConsumer, KafkaProducer

from benchmarks.errors import BenchmarkFailed
from booking_core.ports import Message
from booking_kafka.connection import CONSUMER, PRODUCER, Limits

_LIMITS: Final = Limits()
_ACKNOWLEDGED_SECONDS: Final = 30.0
_PATIENCE_SECONDS: Final = 60.0

Headers = list[tuple[str, bytes]]
Record = tuple[bytes, bytes, Headers]


def record_of(message: Message) -> Record:
    """Key, value and headers as the client wants them."""
    headers = [(name, text.encode()) for name, text in message.headers.items()]
    return message.key, message.value, headers


@contextmanager
def producer(servers: str) -> Iterator[KafkaProducer]:
    """A producer with our settings."""
    made = KafkaProducer(bootstrap_servers=servers, **PRODUCER)
    try:
        yield made
    finally:
        made.close(timeout=5)


def produced_per_second(servers: str, topic: str, records: Sequence[Record]) -> float:
    """Send all of them, a window acknowledged before the next begins; the first window only warms up."""
    with producer(servers) as made:
        _send(made, topic, records[: _LIMITS.window])
        begin = time.perf_counter()
        for first in range(_LIMITS.window, len(records), _LIMITS.window):
            _send(made, topic, records[first : first + _LIMITS.window])
        return (len(records) - _LIMITS.window) / (time.perf_counter() - begin)


def _send(made: KafkaProducer, topic: str, records: Sequence[Record]) -> None:
    futures = [made.send(topic, key=key, value=value, headers=headers) for key, value, headers in records]
    for future in futures:
        future.get(timeout=_ACKNOWLEDGED_SECONDS)  # type: ignore[no-untyped-call]


def consumed_per_second(servers: str, topic: str, group: str, number: int) -> float:
    """Read so many messages, with a commit after each poll; the first poll that brings any only starts the clock."""
    consumer = KafkaConsumer(topic, bootstrap_servers=servers, group_id=group, **CONSUMER)
    give_up_at = time.monotonic() + _PATIENCE_SECONDS
    try:
        seen, before, begin = 0, 0, 0.0
        while seen < number:
            polled: dict[Any, list[Any]] = consumer.poll(timeout_ms=_LIMITS.poll_ms)
            if polled:
                seen += sum(map(len, polled.values()))
                consumer.commit(timeout_ms=_LIMITS.commit_ms)
            if polled and not begin:
                before, begin = seen, time.perf_counter()
            if time.monotonic() > give_up_at:
                raise BenchmarkFailed(f"the bare consumer has seen {seen} of {number} messages in a minute")
        return (seen - before) / (time.perf_counter() - begin)
    finally:
        consumer.close()
