"""Five times the load that the service can serve: what is accepted must stay fast, and the rest be refused at once.

First the best rate of reservations, on 64 connections, each with one request at a time. Then requests arrive at five
times that rate, on 1,500 connections, whatever the answers do; whoever is refused comes back later. Meanwhile /healthz
is asked every 50 ms.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from attrs import frozen

from benchmarks.environment.ground import Ground
from benchmarks.errors import BenchmarkFailed
from benchmarks.load import reserving, wrk
from benchmarks.load.arrivals import Arrived, arrive
from benchmarks.load.probe import Probe
from benchmarks.measuring.scenario import Figures, Measure, Run, Scale, Scenario

_NAME: Final = "overload"
_TIMES: Final = 5
_CONNECTIONS: Final = 1500


@frozen(kw_only=True)
class _Stage:
    ground: Ground
    scale: Scale
    best: Path
    overload: Path


@contextmanager
def _ready(ground: Ground, scale: Scale) -> Iterator[Run]:
    wrk.path()
    wanted = scale.seconds * reserving.MOST_PER_SECOND
    with ground.migrated(_NAME) as prepared:
        # A customer may have three bookings open: both halves may be the same customers'.
        best = reserving.requests_file(ground, "best", reserving.free_events(prepared, wanted))
        overload = reserving.requests_file(ground, _NAME, reserving.free_events(prepared, wanted + _CONNECTIONS))
        yield partial(_run, _Stage(ground=ground, scale=scale, best=best, overload=overload))


def _run(stage: _Stage) -> Figures:
    scale = stage.scale
    with stage.ground.copy(_NAME) as url, stage.ground.serving(url) as address:
        with Probe(address) as at_best:
            best = reserving.reserve(address, url, stage.best, connections=scale.connections, seconds=scale.seconds)
        if not best.created or best.other:
            raise BenchmarkFailed(f"the service does not serve a load that it should: {best}")
        rate = best.created / best.seconds
        before = reserving.stored(url)
        with Probe(address) as probe:
            seen = arrive(address, stage.overload, rate=_TIMES * rate, connections=_CONNECTIONS, seconds=scale.seconds)
        _check(seen, reserving.stored(url) - before)
    answers = max(1, seen.accepted.count + seen.refused.count)
    return {
        "best": rate,
        "sent ÷ best": seen.sent / seen.seconds / rate,
        "accepted": seen.accepted.count / seen.seconds,
        "accepted ÷ best": seen.accepted.count / seen.seconds / rate,
        "accepted, p95": seen.accepted.percentile(95),
        "refused, p50": seen.refused.percentile(50),
        "refused, p95": seen.refused.percentile(95),
        "refused of all answers": 100 * seen.refused.count / answers,
        "unanswered": seen.unanswered,
        "/healthz, longest": probe.longest,
        "/healthz, p95": probe.p95,
        "/healthz failed": probe.failed + at_best.failed,
        "/healthz, longest at best": at_best.longest,
    }


def _check(seen: Arrived, stored: int) -> None:
    if seen.conflict or seen.other:
        raise BenchmarkFailed(f"{seen.conflict} free seats were refused as taken; {seen.other} unexpected answers")
    if seen.exhausted:
        raise BenchmarkFailed("there were not enough requests")
    if not seen.accepted.count <= stored <= seen.accepted.count + _CONNECTIONS:
        raise BenchmarkFailed(f"{seen.accepted.count} answers of 201, and {stored} bookings are stored")


SCENARIO: Final = Scenario(
    name=_NAME,
    what="reservations of free seats at five times the rate that the service can serve, through HTTP with tokens",
    measures=(
        Measure(name="best", unit="/s"),
        Measure(name="sent ÷ best", must=_TIMES * 0.95),
        Measure(name="accepted", unit="/s"),
        Measure(name="accepted ÷ best", must=0.8),
        Measure(name="accepted, p95", unit="ms", must=500, less=True),
        Measure(name="refused, p50", unit="ms", less=True),
        Measure(name="refused, p95", unit="ms", less=True),
        Measure(name="refused of all answers", unit="%"),
        Measure(name="unanswered", flaw=True),
        Measure(name="/healthz, longest", unit="ms", must=100, less=True),
        Measure(name="/healthz, p95", unit="ms", must=100, less=True),
        Measure(name="/healthz failed", flaw=True),
        Measure(name="/healthz, longest at best", unit="ms", less=True),
    ),
    ready=_ready,
)
