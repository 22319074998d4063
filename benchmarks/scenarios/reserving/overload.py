"""Twice and five times the load that the service can serve: what it accepts must stay fast, the rest be refused.

First the best rate of reservations, of 64 or 256 connections, each with one request at a time. Then requests arrive at
two and at five times that rate, on 2,000 connections, whatever the answers do, each of a customer who has not asked for
a second or more: clients that retry at once are in `refusals`. Meanwhile /healthz is asked every 50 ms, on a new
connection each time. `sent ÷ best` tells whether the rate was kept: it is not while all connections wait for answers.

The CPU of a rejection is what the service has used beyond the reservations that it made, each at what one cost at the
best rate, divided by the rejections. At five times the load there are four of them for each reservation, so that what a
reservation costs less in larger groups hardly shows.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from attrs import frozen

from benchmarks.environment.ground import Ground
from benchmarks.environment.services import Service
from benchmarks.errors import BenchmarkFailed
from benchmarks.load import reserving, wrk
from benchmarks.load.probe import Probe
from benchmarks.load.reserving import Reserved
from benchmarks.load.wrk import Seen
from benchmarks.measuring.scenario import Figures, Measure, Run, Scale, Scenario

_NAME: Final = "overload"
_TIMES: Final = (2, 5)
_CONNECTIONS: Final = 2000
_OF_EACH_CUSTOMER: Final = 3
_MOST_BEST: Final = 8000
_BEST_CONNECTIONS: Final = (64, 256)


@frozen(kw_only=True)
class _Stage:
    ground: Ground
    scale: Scale
    best: dict[int, Path]
    overload: dict[int, Path]


@contextmanager
def _ready(ground: Ground, scale: Scale) -> Iterator[Run]:
    wrk.path()
    wanted = scale.seconds * reserving.MOST_PER_SECOND
    with ground.migrated(_NAME) as prepared:
        # A customer may have three bookings open: the loads at the best rate have the same customers, and in an
        # overload a customer comes three times, a third of it apart.
        best = {
            each: reserving.requests_file(ground, f"{_NAME}_{each}", reserving.free_events(prepared, wanted))
            for each in _BEST_CONNECTIONS
        }
        overload, first = {}, 2 * wanted
        for times in _TIMES:
            number = scale.seconds * times * _MOST_BEST
            overload[times] = reserving.requests_file(
                ground,
                f"{_NAME}_{times}",
                reserving.free_events(prepared, number),
                first_customer=first,
                of_each_customer=_OF_EACH_CUSTOMER,
            )
            first += number
        yield partial(_run, _Stage(ground=ground, scale=scale, best=best, overload=overload))


def _run(stage: _Stage) -> Figures:
    with stage.ground.copy(_NAME) as url, stage.ground.serving(url) as service:
        with Probe(service.address) as at_best:
            made = [
                reserving.reserve(service, requests, connections=connections, seconds=stage.scale.seconds)
                for connections, requests in stage.best.items()
            ]
        best = max(made, key=lambda reserved: reserved.per_second)
        if not best.seen.created or best.seen.other:
            raise BenchmarkFailed(f"the service does not serve a load that it should: {best}")
        figures = {
            "best": best.per_second,
            "service CPU at best": best.service_us,
            "PostgreSQL CPU at best": best.postgres_us,
            "/healthz, longest at best": at_best.longest,
            "/healthz failed at best": at_best.failed,
        }
        for times in _TIMES:
            figures |= _overloaded(stage, service, times, best)
    return figures


def _overloaded(stage: _Stage, service: Service, times: int, best: Reserved) -> dict[str, float]:
    stored, used = reserving.stored(service.database_url), service.used()
    with Probe(service.address) as probe:
        seen = wrk.load(
            service.address,
            stage.overload[times],
            rate=times * best.per_second,
            connections=_CONNECTIONS,
            seconds=stage.scale.seconds,
        )
    used = service.used() - used
    _check(seen, reserving.stored(service.database_url) - stored)
    accepted, refused = seen.times(), seen.times(503)
    spent_on_refused = used.service * 1e6 - accepted.count * best.service_us
    figures = {
        "sent ÷ best": seen.sent / seen.seconds / best.per_second,
        "accepted ÷ best": seen.created / seen.seconds / best.per_second,
        "accepted, p95": accepted.percentile(95),
        "refused, p95": refused.percentile(95),
        "refused": seen.refused_percent,
        "CPU of a rejection": spent_on_refused / max(1, refused.count),
        "service CPU, all": used.service * 1e6 / max(1, accepted.count),
        "PostgreSQL CPU": used.postgres * 1e6 / max(1, accepted.count),
        "unanswered": seen.unanswered,
        "/healthz, longest": probe.longest,
        "/healthz, p95": probe.p95,
        "/healthz failed": probe.failed,
    }
    return {f"{name}, {times}×": figure for name, figure in figures.items()}


def _check(seen: Seen, stored: int) -> None:
    if seen.conflict or seen.other or seen.ok:
        raise BenchmarkFailed(f"{seen.conflict} free seats were refused as taken; {seen.other} unexpected answers")
    if seen.exhausted:
        raise BenchmarkFailed("there were not enough requests")
    if not seen.created <= stored <= seen.created + _CONNECTIONS:
        raise BenchmarkFailed(f"{seen.created} answers of 201, and {stored} bookings are stored")


def _measures(times: int) -> Iterator[Measure]:
    def measure(name: str, unit: str = "", *, twice: tuple[float, ...] = (), five: tuple[float, ...] = ()) -> Measure:
        must, aim = (*(twice if times == _TIMES[0] else five), None, None)[:2]
        return Measure(name=f"{name}, {times}×", unit=unit, must=must, aim=aim, less=unit in ("ms", "µs"))

    yield measure("sent ÷ best", twice=(2 * 0.95,), five=(5 * 0.95,))
    yield measure("accepted ÷ best", twice=(0.9, 0.95))
    yield measure("accepted, p95", "ms", five=(450,))
    yield measure("refused, p95", "ms", five=(50,))
    yield measure("refused", "%")
    yield measure("CPU of a rejection", "µs", five=(100, 50))
    yield measure("service CPU, all", "µs")
    yield measure("PostgreSQL CPU", "µs")
    yield Measure(name=f"unanswered, {times}×", flaw=True)
    yield measure("/healthz, longest", "ms", five=(100,))
    yield measure("/healthz, p95", "ms")
    yield Measure(name=f"/healthz failed, {times}×", flaw=True)


SCENARIO: Final = Scenario(
    name=_NAME,
    what="reservations of free seats at two and five times the rate that the service can serve",
    measures=(
        Measure(name="best", unit="/s"),
        Measure(name="service CPU at best", unit="µs", less=True),
        Measure(name="PostgreSQL CPU at best", unit="µs", less=True),
        Measure(name="/healthz, longest at best", unit="ms", less=True),
        Measure(name="/healthz failed at best", flaw=True),
        *(measure for times in _TIMES for measure in _measures(times)),
    ),
    ready=_ready,
)
