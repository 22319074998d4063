"""The relay: stored events into a real Kafka, by `booking relay` as a process.

Two events each of as many bookings wait in the outbox before it starts. Its speed is read from the database's own
moments of marking, beside each row. The yardstick sends the same messages by a bare loop of the client with the same
settings, a window of 500 at a time, just before and just after: the ratio is to the mean of the two.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final

from benchmarks.environment import seeding
from benchmarks.environment.databases import ask, rate_of, until
from benchmarks.environment.ground import Ground
from benchmarks.environment.programs import running_booking
from benchmarks.errors import BenchmarkFailed
from benchmarks.measuring.scenario import Figures, Measure, Run, Scale, Scenario
from benchmarks.yardsticks import bare_client
from benchmarks.yardsticks.bare_client import Record
from booking_postgres.adapter import create
from booking_workers.relay import message_of

_NAME: Final = "relay"
_SEATS: Final = 1000
_EVENTS_OF_A_HALL: Final = _SEATS // seeding.SEATS_OF_A_BOOKING * 2


@contextmanager
def _ready(ground: Ground, scale: Scale) -> Iterator[Run]:
    number = scale.of(60_000, 10_000)
    _ = ground.brokers
    with ground.migrated(_NAME) as prepared:
        events = seeding.put_events(prepared, number=number // _EVENTS_OF_A_HALL, seats=_SEATS)
        seeding.put_bookings(prepared, events, seeding.Kind(confirmed=True, published=False))
        seeding.settle(prepared)
        yield partial(_run, ground, _records(prepared, number))


def _records(url: str, number: int) -> list[Record]:
    """What waits in the outbox, as the client sends it."""
    store = create({"BOOKING_DATABASE_URL": url})
    try:
        return [bare_client.record_of(message_of(record)) for record in store.outbox.unpublished(number)]
    finally:
        store.close()


def _run(ground: Ground, records: Sequence[Record]) -> Figures:
    before = _bare(ground, records)
    with ground.copy(_NAME) as url, ground.brokers.topic() as topic:
        settings = ground.brokers.settings(BOOKING_EVENTS_TOPIC=topic)
        with running_booking(url, "relay", **settings) as program:
            none_left = "SELECT NOT EXISTS (SELECT FROM booking.outbox WHERE published_at IS NULL)"
            until(url, none_left, seconds=60 + len(records) / 500, alive=program.alive)
        relayed = rate_of(url, "SELECT published_at AS at FROM booking.outbox")
        on_topic, rows = ground.brokers.messages_in(topic), ask(url, "SELECT count(*) FROM booking.outbox")[0]
    if not len(records) == rows <= on_topic:
        raise BenchmarkFailed(f"of {rows} events, {on_topic} are on the topic")
    after = _bare(ground, records)
    return {
        "relayed": relayed,
        "bare client": (before + after) / 2,
        "÷ bare client": relayed / ((before + after) / 2),
        "said twice": on_topic - rows,
    }


def _bare(ground: Ground, records: Sequence[Record]) -> float:
    with ground.brokers.topic() as topic:
        return bare_client.produced_per_second(ground.brokers.servers, topic, records)


SCENARIO: Final = Scenario(
    name=_NAME,
    what="stored events into a real Kafka by `booking relay`, beside a bare loop of the client",
    measures=(
        Measure(name="relayed", unit="/s", must=10_000, aim=15_000),
        Measure(name="bare client", unit="/s"),
        Measure(name="÷ bare client"),
        Measure(name="said twice", less=True),
    ),
    ready=_ready,
)
