"""The stampede: 64, 256 and 1,000 connections that all want the same seat, each request another customer; the last
crowd a second time, with an idempotency key in each request.

Meanwhile other customers reserve other seats at a steady pace: they should not notice. How long they wait during each
stampede stands beside how long they wait on the same service just before. An answer is a 201 or a 409; a 503 is
counted by itself.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

from attrs import frozen

from benchmarks import reserving, seeding, wrk
from benchmarks.errors import BenchmarkFailed
from benchmarks.ground import Ground
from benchmarks.scenario import Figures, Measure, Run, Scale, Scenario
from benchmarks.seeding import SeededEvent
from benchmarks.side_stream import all_answers, side_stream

_NAME: Final = "hot_seat"
_CROWDS: Final = ((64, False), (256, False), (1000, False), (1000, True))
_MOST: Final = 1000
_CUSTOMERS: Final = 4000
_RATE: Final = 100
_BEFORE_SECONDS: Final = 0.5
_MARGIN_SECONDS: Final = 2


@frozen(kw_only=True)
class _Stage:
    ground: Ground
    seconds: int
    hot: SeededEvent
    others: list[SeededEvent]


@contextmanager
def _ready(ground: Ground, scale: Scale) -> Iterator[Run]:
    wrk.path()
    seconds = scale.of(8, 3)
    of_each = _RATE * (seconds + _MARGIN_SECONDS)
    with ground.migrated(_NAME) as prepared:
        hot = seeding.put_events(prepared, number=1, seats=len(_CROWDS))[0]
        others = [
            seeding.put_events(prepared, number=1, seats=of_each * seeding.SEATS_OF_A_BOOKING)[0]
            for _ in range(len(_CROWDS) + 1)
        ]
        yield partial(_run, _Stage(ground=ground, seconds=seconds, hot=hot, others=others))


def _run(stage: _Stage) -> Figures:
    figures: dict[str, float] = {}
    ground = stage.ground
    with ground.copy(_NAME) as url, ground.serving(url) as address:
        requests = reserving.requests_file(ground, "calm", stage.others[:1])
        calm = all_answers(address, requests, rate=_RATE, seconds=stage.seconds).p95()
        for number in range(len(_CROWDS)):
            figures |= _stampede(stage, number, address, calm)
    return {"side stream's p95, calm": calm} | figures


def _stampede(stage: _Stage, number: int, address: str, calm: float) -> Figures:
    ground, seat = stage.ground, stage.hot.seat_ids[number]
    crowd, keyed = _CROWDS[number]
    lines = (reserving.reservation(ground.token(each), stage.hot.event_id, [seat]) for each in range(_CUSTOMERS))
    wanted = ground.file("hot", "".join(lines))
    # Others each time: a customer may have three bookings open.
    others = stage.others[number + 1]
    beside = _CUSTOMERS + number * len(others.seat_ids)
    side = reserving.requests_file(ground, "side", [others], first_customer=beside)
    with side_stream(address, side, rate=_RATE, seconds=stage.seconds + _MARGIN_SECONDS) as stream:
        time.sleep(_BEFORE_SECONDS)
        begin = time.time()
        seen = wrk.load(address, wanted, connections=crowd, seconds=stage.seconds, again=True, keyed=keyed)
        end = time.time()
        answers = stream.answers()
    if seen.created != 1 or seen.other:
        raise BenchmarkFailed(f"one seat was sold {seen.created} times, with other answers than 201, 409, 503: {seen}")
    name = _name_of(crowd, keyed=keyed)
    return {
        f"answers, {name}": (seen.created + seen.conflict) / seen.seconds,
        f"busy, {name}": seen.busy / seen.seconds,
        f"unanswered, {name}": seen.unanswered,
        f"side stream's p95, {name}": answers.p95(begin, end),
        f"÷ calm, {name}": answers.p95(begin, end) / calm,
        f"side stream refused, {name}": answers.refused,
    }


def _name_of(crowd: int, *, keyed: bool) -> str:
    return f"{crowd} with keys" if keyed else f"{crowd} connections"


def _measures(crowd: int, *, keyed: bool) -> tuple[Measure, ...]:
    name, judged = _name_of(crowd, keyed=keyed), crowd == _MOST and not keyed
    return (
        Measure(
            name=f"answers, {name}",
            unit="/s",
            must=3000 if judged else None,
            aim=6000 if judged else None,
        ),
        Measure(name=f"busy, {name}", unit="/s", less=True),
        Measure(name=f"unanswered, {name}", less=True),
        Measure(name=f"side stream's p95, {name}", unit="ms", less=True),
        Measure(name=f"÷ calm, {name}", must=5 if judged else None, aim=2 if judged else None, less=True),
        Measure(name=f"side stream refused, {name}", less=True),
    )


SCENARIO: Final = Scenario(
    name=_NAME,
    what="64, 256 and 1,000 connections on one seat, and 1,000 with keys, while others reserve other seats",
    measures=(
        Measure(name="side stream's p95, calm", unit="ms", less=True),
        *(each for crowd, keyed in _CROWDS for each in _measures(crowd, keyed=keyed)),
    ),
    ready=_ready,
)
