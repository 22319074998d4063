"""The sweep: overdue bookings of two seats, ended in sets with their events, by `booking expire`.

First alone. Then the same again while customers reserve other seats at a steady pace: how long they wait while the
sweep is at work, beside how long they wait without it, on the same service a moment before. Speed is read from the
moments that the history holds.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.environment import programs, seeding
from benchmarks.environment.databases import ask, rate_of
from benchmarks.environment.ground import Ground
from benchmarks.errors import BenchmarkFailed
from benchmarks.load import reserving
from benchmarks.load.side_stream import Answers, all_answers, side_stream
from benchmarks.measuring.scenario import Figures, Measure, Run, Scale, Scenario

_NAME: Final = "sweep"
_SEATS: Final = 1000
_RATE: Final = 200
_AFTER_SECONDS: Final = 0.5
_LONGEST_SECONDS: Final = 30
_OF_THE_SWEEP: Final = "SELECT at FROM booking.history WHERE trigger = 'TIME'"


@contextmanager
def _ready(ground: Ground, scale: Scale) -> Iterator[Run]:
    number, seconds = scale.of(50_000, 10_000), scale.of(8, 4)
    with ground.migrated(_NAME) as prepared:
        halls = number * seeding.SEATS_OF_A_BOOKING // _SEATS
        overdue = seeding.put_events(prepared, number=halls, seats=_SEATS)
        seeding.put_bookings(prepared, overdue, seeding.Kind(minutes_left=-10))
        seeding.settle(prepared)
        calm = reserving.requests_file(ground, "calm", reserving.free_events(prepared, _RATE * seconds))
        during = reserving.requests_file(ground, "during", reserving.free_events(prepared, _RATE * _LONGEST_SECONDS))
        yield partial(_run, ground, number, seconds, calm, during)


def _run(ground: Ground, number: int, seconds: int, calm: Path, during: Path) -> Figures:
    with ground.copy(_NAME) as url:
        _expire(url, number)
        alone = rate_of(url, _OF_THE_SWEEP)
    with ground.copy(_NAME) as url, ground.serving(url) as service:
        before = all_answers(service.address, calm, rate=_RATE, seconds=seconds)
        with side_stream(service.address, during, rate=_RATE, seconds=_LONGEST_SECONDS) as stream:
            _expire(url, number)
            time.sleep(_AFTER_SECONDS)
            answers = stream.answers(at_once=True)
        under_load = rate_of(url, _OF_THE_SWEEP)
        p95 = _p95_during(url, answers)
    return {
        "expired, alone": alone,
        "expired, under load": under_load,
        "customers' p95, calm": before.p95(),
        "customers' p95, sweeping": p95,
        "delay at p95": p95 - before.p95(),
        "reservations refused": answers.refused,
    }


def _expire(url: str, number: int) -> None:
    done = json.loads(programs.booking(url, "expire", "--json"))
    if done != {"expired": number, "seatsReleased": number * seeding.SEATS_OF_A_BOOKING}:
        raise BenchmarkFailed(f"of {number} overdue bookings, the sweep says: {done}")


def _p95_during(url: str, answers: Answers) -> float:
    """Of those whose requests were due while the sweep was at work."""
    query = f"SELECT extract(epoch FROM min(at))::float8, extract(epoch FROM max(at))::float8 FROM ({_OF_THE_SWEEP}) t"
    begin, end = ask(url, query)
    return answers.p95(begin, end)


SCENARIO: Final = Scenario(
    name=_NAME,
    what="overdue bookings ended in sets by `booking expire`, alone and under 200 reservations/s of other seats",
    measures=(
        Measure(name="expired, alone", unit="/s", must=10_000, aim=20_000),
        Measure(name="expired, under load", unit="/s"),
        Measure(name="customers' p95, calm", unit="ms", less=True),
        Measure(name="customers' p95, sweeping", unit="ms", less=True),
        Measure(name="delay at p95", unit="ms", must=100, less=True),
        Measure(name="reservations refused", less=True),
    ),
    ready=_ready,
)
