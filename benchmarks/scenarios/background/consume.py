"""The consumer: `payment.success` out of a real Kafka, each confirming a PENDING booking, by `booking consume`.

The messages wait on the topic before it starts. Its speed is read from the moments of confirmation that the database
holds. Two yardsticks: a bare loop of the client that only polls and commits, which is all that Kafka costs, and naive
pgbench, which confirms the same bookings one after the other on one connection, a statement per round trip.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final
from uuid import uuid4

from benchmarks.environment import seeding
from benchmarks.environment.databases import ask, rate_of, until
from benchmarks.environment.ground import Ground
from benchmarks.environment.programs import running_booking
from benchmarks.errors import BenchmarkFailed
from benchmarks.load.payments import payments
from benchmarks.measuring.scenario import Figures, Measure, Run, Scale, Scenario
from benchmarks.yardsticks import bare_client, naive

_NAME: Final = "consume"
_SEATS: Final = 1000


@contextmanager
def _ready(ground: Ground, scale: Scale) -> Iterator[Run]:
    number = scale.of(20_000, 4_000)
    brokers = ground.brokers
    with ground.migrated(_NAME) as prepared, brokers.topic() as topic:
        halls = number * seeding.SEATS_OF_A_BOOKING // _SEATS
        seeding.put_bookings(prepared, seeding.put_events(prepared, number=halls, seats=_SEATS), seeding.Kind())
        seeding.settle(prepared)
        bare_client.produced_per_second(brokers.servers, topic, payments(prepared))
        yield partial(_run, ground, topic, number)


def _run(ground: Ground, topic: str, number: int) -> Figures:
    before = _bare(ground, topic, number)
    with ground.copy(_NAME) as url, ground.brokers.topic() as dead_letters:
        settings = ground.brokers.settings(
            BOOKING_PAYMENTS_TOPIC=topic,
            BOOKING_DEAD_LETTER_TOPIC=dead_letters,
            BOOKING_CONSUMER_GROUP=f"bench.{uuid4()}",
        )
        with running_booking(url, "consume", **settings) as program:
            none_left = "SELECT NOT EXISTS (SELECT FROM booking.bookings WHERE deadline IS NOT NULL)"
            until(url, none_left, seconds=60 + number / 100, alive=program.alive)
        consumed = rate_of(url, "SELECT confirmed_at AS at FROM booking.bookings")
        confirmed = ask(url, "SELECT count(*) FROM booking.bookings WHERE status = 'CONFIRMED'")[0]
        dead = ground.brokers.messages_in(dead_letters)
    if confirmed != number:
        raise BenchmarkFailed(f"of {number} bookings that were paid for, {confirmed} are CONFIRMED")
    after = _bare(ground, topic, number)
    with ground.copy(_NAME) as url:
        yardstick = naive.confirmations_per_second(ground.server, url, min(number, 10_000))
    bare = (before + after) / 2
    return {
        "consumed": consumed,
        "bare client": bare,
        "÷ bare client": consumed / bare,
        "naive pgbench": yardstick,
        "÷ naive pgbench": consumed / yardstick,
        "dead letters": dead,
    }


def _bare(ground: Ground, topic: str, number: int) -> float:
    return bare_client.consumed_per_second(ground.brokers.servers, topic, f"bench.{uuid4()}", number)


SCENARIO: Final = Scenario(
    name=_NAME,
    what="payments out of a real Kafka by `booking consume`, beside a bare loop of the client and naive pgbench",
    measures=(
        Measure(name="consumed", unit="/s", must=2000, aim=3000),
        Measure(name="bare client", unit="/s"),
        Measure(name="÷ bare client"),
        Measure(name="naive pgbench", unit="/s"),
        Measure(name="÷ naive pgbench"),
        Measure(name="dead letters", flaw=True),
    ),
    ready=_ready,
)
