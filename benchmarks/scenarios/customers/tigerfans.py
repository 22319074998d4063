"""A run like that of TigerFans: first holds, through HTTP, then the payments for all of them, until there are tickets.

TigerFans (github.com/renerocksai/tigerfans) is a ticket shop over TigerBeetle, in Python, whose author published 977
holds a second on a machine with 8 cores. Its load test has two phases, with up to 100 requests under way: it reserves,
then pays. So does this one, with 100 connections and one ticket for each customer. Differences: its tickets are two
classes that are counted, ours are seats, each with an owner; it keeps holds in Redis and TigerBeetle, here all is in
PostgreSQL, with history and events; its payments come by webhook, ours as messages through Kafka; it has no tokens,
here each request has one.

`booking worker` runs during both phases, so that events of the first are published meanwhile. The payments' rate counts
from the first message sent to the last booking CONFIRMED, by the moments that the database holds.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final
from uuid import uuid4

from benchmarks.environment.databases import ask, until
from benchmarks.environment.ground import Ground
from benchmarks.environment.programs import running_booking
from benchmarks.errors import BenchmarkFailed
from benchmarks.load import reserving, wrk
from benchmarks.load.payments import payments
from benchmarks.load.reserving import Reserved
from benchmarks.measuring.processes import cpu_seconds
from benchmarks.measuring.scenario import Figures, Measure, Run, Scale, Scenario
from benchmarks.yardsticks import bare_client

_NAME: Final = "tigerfans"
_CONNECTIONS: Final = 100
_SLOWEST_PER_SECOND: Final = 100
_ALL_PAID: Final = "SELECT NOT EXISTS (SELECT FROM booking.bookings WHERE status <> 'CONFIRMED')"
_TICKETS: Final = """
    SELECT count(DISTINCT ticket_reference), extract(epoch FROM max(confirmed_at))::float8 FROM booking.bookings
"""


@contextmanager
def _ready(ground: Ground, scale: Scale) -> Iterator[Run]:
    wrk.path()
    _ = ground.brokers
    with ground.migrated(_NAME) as prepared:
        events = reserving.free_events(prepared, scale.seconds * reserving.MOST_PER_SECOND, of_seats=1)
        yield partial(_run, ground, scale, reserving.requests_file(ground, _NAME, events, of_seats=1))


def _run(ground: Ground, scale: Scale, requests: Path) -> Figures:
    brokers = ground.brokers
    with (
        ground.copy(_NAME) as url,
        brokers.topic() as events,
        brokers.topic() as paid,
        brokers.topic() as dead_letters,
    ):
        settings = brokers.settings(
            BOOKING_EVENTS_TOPIC=events,
            BOOKING_PAYMENTS_TOPIC=paid,
            BOOKING_DEAD_LETTER_TOPIC=dead_letters,
            BOOKING_CONSUMER_GROUP=f"bench.{uuid4()}",
        )
        with running_booking(url, "worker", **settings) as worker:
            with ground.serving(url) as service:
                made = reserving.reserve(service, requests, connections=_CONNECTIONS, seconds=scale.seconds)
            records = payments(url)
            used, began = cpu_seconds(worker.pid), time.time()
            bare_client.produced_per_second(brokers.servers, paid, records)
            until(url, _ALL_PAID, seconds=60 + len(records) / _SLOWEST_PER_SECOND, alive=worker.alive)
            used = cpu_seconds(worker.pid) - used
        tickets, last = ask(url, _TICKETS)
        dead = brokers.messages_in(dead_letters)
    if tickets != len(records):
        raise BenchmarkFailed(f"of {len(records)} holds that were paid for, there are {tickets} tickets")
    return _figures(made) | {
        "payments to tickets": tickets / (last - began),
        "worker CPU": used / tickets * 1e6,
        "tickets": tickets,
        "dead letters": dead,
    }


def _figures(made: Reserved) -> dict[str, float]:
    return {
        "holds": made.per_second,
        "holds, p95": made.seen.times().percentile(95),
        "holds, refused": made.seen.refused_percent,
        "service CPU": made.service_us,
        "PostgreSQL CPU": made.postgres_us,
        "errors": made.errors,
    }


SCENARIO: Final = Scenario(
    name=_NAME,
    what="like TigerFans: holds through HTTP on 100 connections, then their payments through Kafka, to tickets",
    measures=(
        Measure(name="holds", unit="/s"),
        Measure(name="holds, p95", unit="ms", less=True),
        Measure(name="holds, refused", unit="%", less=True),
        Measure(name="service CPU", unit="µs", less=True),
        Measure(name="PostgreSQL CPU", unit="µs", less=True),
        Measure(name="payments to tickets", unit="/s"),
        Measure(name="worker CPU", unit="µs", less=True),
        Measure(name="tickets"),
        Measure(name="errors", flaw=True),
        Measure(name="dead letters", flaw=True),
    ),
    ready=_ready,
)
