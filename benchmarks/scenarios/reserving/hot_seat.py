"""The stampede: 64, 256 and 1,000 connections that all want the same seat, each request another customer. The largest
crowd comes again with an idempotency key in each request, for the same ten seats, and for any two of ten seats.

Meanwhile other customers reserve other seats at a steady pace: they should not notice. How long they wait during each
stampede stands beside how long they wait on the same service just before. An answer is a 201 or a 409; a 503 is
counted by itself.
"""

import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final
from uuid import UUID

from attrs import frozen

from benchmarks.environment import seeding
from benchmarks.environment.ground import Ground
from benchmarks.environment.seeding import SeededEvent
from benchmarks.errors import BenchmarkFailed
from benchmarks.load import reserving, wrk
from benchmarks.load.side_stream import all_answers, side_stream
from benchmarks.measuring.scenario import Figures, Measure, Run, Scale, Scenario

_NAME: Final = "hot_seat"
_CUSTOMERS: Final = 4000
_RATE: Final = 100
_BEFORE_SECONDS: Final = 0.5
_MARGIN_SECONDS: Final = 2


@frozen(kw_only=True)
class _Crowd:
    """Each request wants `wanted` of the crowd's `seats`."""

    name: str
    connections: int = 1000
    keyed: bool = False
    seats: int = 1
    wanted: int = 1
    judged: bool = False

    def wish(self, customer: int, seat_ids: Sequence[UUID]) -> Sequence[UUID]:
        """Other seats for the next customer, if there are more than each wants."""
        wishes = list(itertools.combinations(seat_ids, self.wanted))
        return wishes[customer % len(wishes)]


_CROWDS: Final = (
    _Crowd(name="64 connections", connections=64),
    _Crowd(name="256 connections", connections=256),
    _Crowd(name="1000 connections", judged=True),
    _Crowd(name="1000 with keys", keyed=True),
    _Crowd(name="1000 on ten seats", seats=10, wanted=10),
    _Crowd(name="1000 on two of ten", seats=10, wanted=2),
)


@frozen(kw_only=True)
class _Stage:
    ground: Ground
    seconds: int
    hot: list[SeededEvent]
    calm: list[SeededEvent]
    others: list[SeededEvent]


@contextmanager
def _ready(ground: Ground, scale: Scale) -> Iterator[Run]:
    wrk.path()
    seconds = scale.of(8, 3)
    of_each = _RATE * (seconds + _MARGIN_SECONDS) * seeding.SEATS_OF_A_BOOKING
    with ground.migrated(_NAME) as prepared:
        hot = [seeding.put_events(prepared, number=1, seats=crowd.seats)[0] for crowd in _CROWDS]
        calm, others = (seeding.put_events(prepared, number=len(_CROWDS), seats=of_each) for _ in range(2))
        yield partial(_run, _Stage(ground=ground, seconds=seconds, hot=hot, calm=calm, others=others))


def _run(stage: _Stage) -> Figures:
    figures: dict[str, float] = {}
    ground = stage.ground
    with ground.copy(_NAME) as url, ground.serving(url) as service:
        for number in range(len(_CROWDS)):
            figures |= _stampede(stage, number, service.address)
    return figures


def _stampede(stage: _Stage, number: int, address: str) -> Figures:
    ground, hot, crowd = stage.ground, stage.hot[number], _CROWDS[number]
    # Others each time: a customer may have three bookings open.
    others = stage.others[number]
    beside = _CUSTOMERS + number * len(others.seat_ids)
    requests = reserving.requests_file(ground, "calm", [stage.calm[number]], first_customer=beside)
    calm = all_answers(address, requests, rate=_RATE, seconds=stage.seconds).p95()
    lines = (
        reserving.reservation(ground.token(each), hot.event_id, crowd.wish(each, hot.seat_ids))
        for each in range(_CUSTOMERS)
    )
    wanted = ground.file("hot", "".join(lines))
    side = reserving.requests_file(ground, "side", [others], first_customer=beside)
    with side_stream(address, side, rate=_RATE, seconds=stage.seconds + _MARGIN_SECONDS) as stream:
        time.sleep(_BEFORE_SECONDS)
        begin = time.time()
        seen = wrk.load(
            address, wanted, connections=crowd.connections, seconds=stage.seconds, again=True, keyed=crowd.keyed
        )
        end = time.time()
        answers = stream.answers()
    _check(crowd, seen)
    name = crowd.name
    return {
        f"answers, {name}": (seen.created + seen.conflict) / seen.seconds,
        f"busy, {name}": seen.busy / seen.seconds,
        f"unanswered, {name}": seen.unanswered,
        f"calm p95, {name}": calm,
        f"side stream's p95, {name}": answers.p95(begin, end),
        f"÷ calm, {name}": answers.p95(begin, end) / calm,
        f"side stream refused, {name}": answers.refused,
    }


def _check(crowd: _Crowd, seen: wrk.Seen) -> None:
    # Somebody asks for any seats that are left, again and again.
    if seen.created != crowd.seats // crowd.wanted or seen.other:
        raise BenchmarkFailed(f"{crowd}: sold {seen.created} times, or other answers than 201, 409, 503: {seen}")


def _measures(crowd: _Crowd) -> tuple[Measure, ...]:
    name, judged = crowd.name, crowd.judged
    return (
        Measure(
            name=f"answers, {name}",
            unit="/s",
            must=5000 if judged else None,
            aim=8000 if judged else None,
        ),
        Measure(name=f"busy, {name}", unit="/s", less=True),
        Measure(name=f"unanswered, {name}", flaw=True),
        Measure(name=f"calm p95, {name}", unit="ms", less=True),
        Measure(name=f"side stream's p95, {name}", unit="ms", less=True),
        Measure(name=f"÷ calm, {name}", must=3 if judged else None, aim=2 if judged else None, less=True),
        Measure(name=f"side stream refused, {name}", less=True),
    )


SCENARIO: Final = Scenario(
    name=_NAME,
    what="64, 256 and 1,000 connections on one seat, 1,000 with keys and on ten seats, while others reserve others",
    measures=tuple(each for crowd in _CROWDS for each in _measures(crowd)),
    ready=_ready,
)
