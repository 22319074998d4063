"""From commit to topic: 200 reservations a second through HTTP, at a steady pace, with `booking worker` beside.

When a reservation was committed is PostgreSQL's own record (`track_commit_timestamp`), when its event was written is
the broker's, and when it arrived is the clock of a consumer that reads all the while: all on this machine's clock. The
yardstick sends one message at a time at the same pace by the bare client, and looks with the same consumer.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final
from uuid import uuid4

import psycopg

from benchmarks.environment import databases, programs
from benchmarks.environment.ground import Ground
from benchmarks.errors import BenchmarkFailed
from benchmarks.figures import percentile
from benchmarks.load import reserving
from benchmarks.load.side_stream import all_answers
from benchmarks.measuring.scenario import Figures, Measure, Run, Scale, Scenario
from benchmarks.yardsticks import bare_client

_NAME: Final = "commit_to_topic"
_RATE: Final = 200
_SIZE: Final = 500

Arrived = dict[str, tuple[float, float]]
"""By key: the broker's moment of writing, and that of arrival."""


@contextmanager
def _ready(ground: Ground, scale: Scale) -> Iterator[Run]:
    seconds = scale.of(20, 6)
    _ = ground.brokers
    with databases.postgres({"track_commit_timestamp": "on"}) as server, databases.database(server, _NAME) as prepared:
        programs.booking(prepared, "migrate")
        events = reserving.free_events(prepared, _RATE * seconds)
        requests = reserving.requests_file(ground, _NAME, events)

        def run() -> Figures:
            with databases.database(server, f"{_NAME}_run", _NAME) as url:
                databases.checkpoint(url)
                return _run(ground, url, requests, seconds)

        yield run


def _run(ground: Ground, url: str, requests: Path, seconds: int) -> Figures:
    ours = _arrived(ground, seconds, lambda topic: _reserve(ground, url, topic, requests, seconds))
    bare = _arrived(ground, seconds, partial(_send, ground, seconds))
    to_topic = sorted(written - begin for begin, written, _ in ours)
    received, bare_received = ([arrival - begin for begin, _, arrival in each] for each in (ours, bare))
    figures = {
        "commit to topic, p50": percentile(to_topic, 50),
        "commit to topic, p95": percentile(to_topic, 95),
        "commit to consumer, p50": percentile(received, 50),
        "commit to consumer, p95": percentile(received, 95),
        "bare send to consumer, p50": percentile(bare_received, 50),
        "bare send to consumer, p95": percentile(bare_received, 95),
    }
    ratio = figures["commit to consumer, p95"] / figures["bare send to consumer, p95"]
    return {name: figure * 1000 for name, figure in figures.items()} | {"÷ bare, p95": ratio}


def _arrived(ground: Ground, seconds: int, act: Callable[[str], dict[str, float]]) -> list[tuple[float, float, float]]:
    """Begin, writing and arrival of every message of what `act` does with a topic; its result says when each began."""
    number = _RATE * seconds
    with ground.brokers.topic(stamped_by_broker=True) as topic:
        arguments = (ground.brokers.servers, topic, str(number), str(seconds + 60))
        with programs.running_module("benchmarks.load.listening", *arguments) as listener:
            if listener.line() != "ready\n":
                raise BenchmarkFailed("the consumer did not start: see above")
            began = act(topic)
            arrived: Arrived = {key: (at, here) for key, at, here in json.loads(listener.output(seconds + 90))}
    missing = began.keys() - arrived.keys()
    if missing:
        raise BenchmarkFailed(f"of {len(began)} messages, {len(missing)} did not arrive")
    return [(begin, *arrived[key]) for key, begin in began.items()]


def _reserve(ground: Ground, url: str, topic: str, requests: Path, seconds: int) -> dict[str, float]:
    """Reserve at the pace; when each booking was committed."""
    with ground.brokers.topic() as payments, ground.brokers.topic() as dead_letters:
        settings = ground.brokers.settings(
            BOOKING_EVENTS_TOPIC=topic,
            BOOKING_PAYMENTS_TOPIC=payments,
            BOOKING_DEAD_LETTER_TOPIC=dead_letters,
            BOOKING_CONSUMER_GROUP=f"bench.{uuid4()}",
        )
        with programs.running_booking(url, "worker", **settings) as worker, ground.serving(url) as service:
            all_answers(service.address, requests, rate=_RATE, seconds=seconds)
            worker.alive()
            # The row is as the reservation wrote it, so its transaction is the reservation's. The relay changes others.
            query = "SELECT booking_id::text, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8"
            with psycopg.connect(url) as connection:
                found = connection.execute(f"{query} FROM booking.bookings".encode()).fetchall()
            none_left = "SELECT NOT EXISTS (SELECT FROM booking.outbox WHERE published_at IS NULL)"
            databases.until(url, none_left, seconds=60, alive=worker.alive)
    return dict(found)


def _send(ground: Ground, seconds: int, topic: str) -> dict[str, float]:
    """Send at the pace, nothing waited for; when each was given to the client."""
    sent: dict[str, float] = {}
    with bare_client.producer(ground.brokers.servers) as producer:
        producer.partitions_for(topic)
        start = time.monotonic()
        for number in range(_RATE * seconds):
            time.sleep(max(0.0, start + number / _RATE - time.monotonic()))
            key = str(uuid4())
            sent[key] = time.time()
            producer.send(topic, key=key.encode(), value=b"x" * _SIZE)
        producer.flush(timeout=30)
    return sent


SCENARIO: Final = Scenario(
    name=_NAME,
    what="time from commit to Kafka at 200 reservations/s, beside the bare client at the same pace",
    measures=(
        Measure(name="commit to topic, p50", unit="ms", less=True),
        Measure(name="commit to topic, p95", unit="ms", less=True),
        Measure(name="commit to consumer, p50", unit="ms", less=True),
        Measure(name="commit to consumer, p95", unit="ms", less=True),
        Measure(name="bare send to consumer, p50", unit="ms", less=True),
        Measure(name="bare send to consumer, p95", unit="ms", less=True),
        Measure(name="÷ bare, p95", less=True),
    ),
    ready=_ready,
)
