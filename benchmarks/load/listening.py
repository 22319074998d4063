"""Reads a topic as it is written: `python -m benchmarks.load.listening SERVERS TOPIC NUMBER SECONDS`.

Prints `ready` once it reads. When it has seen so many messages, or none for three seconds after the first, or when so
many seconds have passed, it prints one line of JSON: key, the broker's moment of writing and the moment of arrival, in
seconds of the epoch, for each.
"""

import json
import sys
import time
from typing import Final

from kafka import KafkaConsumer, TopicPartition

from benchmarks.environment.brokers import PARTITIONS
from booking_kafka.connection import ANY_CLIENT

_POLL_MS: Final = 100
_SILENCE_SECONDS: Final = 3.0


def main() -> None:
    servers, topic, number, seconds = sys.argv[1:]
    consumer = KafkaConsumer(bootstrap_servers=servers, **ANY_CLIENT)
    partitions = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
    consumer.assign(partitions)
    consumer.seek_to_beginning()
    for partition in partitions:
        consumer.position(partition)
    print("ready", flush=True)
    seen: list[tuple[str, float, float]] = []
    give_up_at, silent_at = time.monotonic() + float(seconds), float("inf")
    while len(seen) < int(number) and time.monotonic() < min(give_up_at, silent_at):
        polled = consumer.poll(timeout_ms=_POLL_MS)
        now = time.time()
        if polled:
            silent_at = time.monotonic() + _SILENCE_SECONDS
        for records in polled.values():
            seen += [((record.key or b"").decode(), record.timestamp / 1000, now) for record in records]
    consumer.close()
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
