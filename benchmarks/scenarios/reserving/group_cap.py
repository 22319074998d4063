"""The largest group, BOOKING_GROUP_SIZE, from 1 (no groups) to 64, at 64 connections.

Each has a service and a database of its own. The naive yardstick is taken first and last; the ratio is to the mean of
the two.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.environment.ground import Ground
from benchmarks.errors import BenchmarkFailed
from benchmarks.load import reserving, wrk
from benchmarks.measuring.scenario import Figures, Measure, Run, Scale, Scenario
from benchmarks.yardsticks import naive
from booking_service.settings import SETTINGS

_NAME: Final = "group_cap"
_SETTING: Final = "BOOKING_GROUP_SIZE"
_CAPS: Final = (1, 4, 8, 16, 32, 64)


@contextmanager
def _ready(ground: Ground, scale: Scale) -> Iterator[Run]:
    wrk.path()
    if _SETTING not in {setting.name for setting in SETTINGS}:
        raise BenchmarkFailed(f"this version does not serve groups: it has no setting {_SETTING}")
    with ground.migrated(_NAME) as prepared:
        events = reserving.free_events(prepared, scale.seconds * reserving.MOST_PER_SECOND)
        yield partial(_run, ground, scale, reserving.requests_file(ground, _NAME, events))


def _run(ground: Ground, scale: Scale, requests: Path) -> Figures:
    before = naive.reservations_per_second(ground.server, scale.seconds)
    made = {}
    for cap in _CAPS:
        with ground.copy(_NAME) as url, ground.serving(url, **{_SETTING: str(cap)}) as service:
            made[cap] = reserving.reserve(service, requests, connections=scale.connections, seconds=scale.seconds)
    yardstick = (before + naive.reservations_per_second(ground.server, scale.seconds)) / 2
    figures: dict[str, float] = {}
    for cap, reserved in made.items():
        figures |= {
            f"÷ naive pgbench, {cap}": reserved.per_second / yardstick,
            f"p95, {cap}": reserved.seen.times().percentile(95),
            f"service CPU, {cap}": reserved.service_us,
            f"PostgreSQL CPU, {cap}": reserved.postgres_us,
            f"refused, {cap}": reserved.seen.refused_percent,
            f"group size, {cap}": reserved.group_size,
        }
    return figures | {
        "naive pgbench": yardstick,
        "errors": sum(reserved.errors for reserved in made.values()),
    }


def _measures(cap: int) -> Iterator[Measure]:
    yield Measure(name=f"÷ naive pgbench, {cap}")
    yield Measure(name=f"p95, {cap}", unit="ms", less=True)
    yield Measure(name=f"service CPU, {cap}", unit="µs", less=True)
    yield Measure(name=f"PostgreSQL CPU, {cap}", unit="µs", less=True)
    yield Measure(name=f"refused, {cap}", unit="%", less=True)
    yield Measure(name=f"group size, {cap}")


SCENARIO: Final = Scenario(
    name=_NAME,
    what="the largest group from 1 to 64 (BOOKING_GROUP_SIZE) at 64 connections, beside naive pgbench",
    measures=(
        *(measure for cap in _CAPS for measure in _measures(cap)),
        Measure(name="naive pgbench", unit="/s"),
        Measure(name="errors", flaw=True),
    ),
    ready=_ready,
)
