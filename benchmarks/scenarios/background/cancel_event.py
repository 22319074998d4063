"""An event is cancelled: 10,000 CONFIRMED bookings of two seats, each with a payment to ask back, by `booking`.

Speed is read from the moments that the history holds; the whole command, from its start to `event.cancelled`, includes
the start of the program and the walk over the event's 20,000 seats that lets reservations in flight end.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final
from uuid import UUID

from benchmarks.environment import programs, seeding
from benchmarks.environment.databases import ask, rate_of
from benchmarks.environment.ground import Ground
from benchmarks.errors import BenchmarkFailed
from benchmarks.measuring.scenario import Figures, Measure, Run, Scale, Scenario

_NAME: Final = "cancel_event"


@contextmanager
def _ready(ground: Ground, scale: Scale) -> Iterator[Run]:
    number = scale.of(10_000, 2_000)
    with ground.migrated(_NAME) as prepared:
        events = seeding.put_events(prepared, number=1, seats=number * seeding.SEATS_OF_A_BOOKING)
        seeding.put_bookings(prepared, events, seeding.Kind(confirmed=True))
        seeding.settle(prepared)
        yield partial(_run, ground, events[0].event_id, number)


def _run(ground: Ground, event_id: UUID, number: int) -> Figures:
    with ground.copy(_NAME) as url:
        begin = time.perf_counter()
        said = json.loads(programs.booking(url, "cancel-event", str(event_id), "--reason", "flood", "--json"))
        took = time.perf_counter() - begin
        rate = rate_of(url, "SELECT at FROM booking.history WHERE trigger = 'EVENT_CANCELLED'")
        query = """
            SELECT (SELECT count(*) FROM booking.payments WHERE refund_status = 'REQUESTED'),
                   (SELECT count(*) FROM booking.outbox WHERE event_type = 'event.cancelled')
        """
        refunds, told = ask(url, query)
    if (said["bookings"], refunds, told) != (number, number, 1):
        raise BenchmarkFailed(
            f"{said['bookings']} bookings, {refunds} refunds and {told} ends of {number}, {number}, 1"
        )
    return {"cancelled": rate, "whole command": took}


SCENARIO: Final = Scenario(
    name=_NAME,
    what="an event with 10,000 CONFIRMED bookings cancelled by `booking cancel-event`, with their refunds",
    measures=(
        Measure(name="cancelled", unit="/s"),
        Measure(name="whole command", unit="s", must=60, less=True),
    ),
    ready=_ready,
)
