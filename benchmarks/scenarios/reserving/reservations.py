"""Calm reservations with 64, 256 and 4 connections, every request a different user and two different free seats.

Through `booking serve` with signed tokens, everything on: history, outbox, fsync, synchronous commit, the access log at
INFO into a file, metrics, and idempotency keys in half of the requests. Each number of connections has a service and a
database of its own. The naive yardstick is taken first and last in each run; the ratio is to the mean of the two. CPU
is that of all processes of the service or of PostgreSQL for each reservation that was made, refusals included.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import psycopg

from benchmarks.environment.ground import Ground
from benchmarks.load import reserving, wrk
from benchmarks.load.reserving import Reserved
from benchmarks.measuring.scenario import Figures, Measure, Run, Scale, Scenario
from benchmarks.yardsticks import naive

_NAME: Final = "reservations"
_CONNECTIONS: Final = (64, 256, 4)


@contextmanager
def _ready(ground: Ground, scale: Scale) -> Iterator[Run]:
    wrk.path()
    with ground.migrated(_NAME) as prepared:
        events = reserving.free_events(prepared, scale.seconds * reserving.MOST_PER_SECOND)
        requests = reserving.requests_file(ground, _NAME, events)
        yield partial(_run, ground, scale, requests)


def _run(ground: Ground, scale: Scale, requests: Path) -> Figures:
    before = naive.reservations_per_second(ground.server, scale.seconds)
    made: dict[int, Reserved] = {}
    most = 0
    for connections in _CONNECTIONS:
        with ground.copy(_NAME) as url, ground.serving(url) as service, _Connections(url) as watched:
            made[connections] = reserving.reserve(service, requests, connections=connections, seconds=scale.seconds)
        most = max(most, watched.most)
    yardstick = (before + naive.reservations_per_second(ground.server, scale.seconds)) / 2
    figures: dict[str, float] = {}
    for connections, reserved in made.items():
        figures |= _figures(connections, reserved, yardstick)
    return figures | {
        "naive pgbench": yardstick,
        "database connections": most,
        "errors": sum(reserved.errors for reserved in made.values()),
    }


def _figures(connections: int, reserved: Reserved, yardstick: float) -> dict[str, float]:
    times = reserved.seen.times()
    figures = {
        "reservations": reserved.per_second,
        "÷ naive pgbench": reserved.per_second / yardstick,
        "p50": times.percentile(50),
        "p95": times.percentile(95),
        "p99": times.percentile(99),
        "service CPU": reserved.service_us,
        "PostgreSQL CPU": reserved.postgres_us,
        "load generator CPU": reserved.seen.own_cpu_seconds / max(1, reserved.seen.created) * 1e6,
        "refused": reserved.seen.refused_percent,
        "group size": reserved.group_size,
    }
    return {f"{name}, {connections}": figure for name, figure in figures.items()}


class _Connections:
    """Counts the service's connections in pg_stat_activity while it is used; `most` is the highest count seen."""

    def __init__(self, url: str) -> None:
        self._url, self._done = url, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.most = 0

    def __enter__(self) -> "_Connections":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        count = (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'booking-core'"
        )
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._done.wait(0.2):
                row = connection.execute(count).fetchone()
                self.most = max(self.most, row[0] if row else 0)


_PROMISED: Final = {
    "reservations, 64": (1000, 1800),
    "÷ naive pgbench, 64": (0.60, 1.00),
    "÷ naive pgbench, 256": (0.90, 1.20),
    "p95, 64": (100, 60),
    "service CPU, 64": (600, 350),
    "PostgreSQL CPU, 64": (500, 250),
    "refused, 64": (1, 0),
    "refused, 256": (1, 0),
}


def _measures() -> Iterator[Measure]:
    for connections in _CONNECTIONS:
        for name, unit in (
            ("reservations", "/s"),
            ("÷ naive pgbench", ""),
            ("p50", "ms"),
            ("p95", "ms"),
            ("p99", "ms"),
            ("service CPU", "µs"),
            ("PostgreSQL CPU", "µs"),
            ("load generator CPU", "µs"),
            ("refused", "%"),
            ("group size", ""),
        ):
            whole = f"{name}, {connections}"
            must, aim = _PROMISED.get(whole, (None, None))
            yield Measure(name=whole, unit=unit, must=must, aim=aim, less=unit in ("ms", "µs", "%"))


SCENARIO: Final = Scenario(
    name=_NAME,
    what="reservations of free seats through HTTP with tokens, 64, 256 and 4 connections, beside naive pgbench",
    measures=(
        *_measures(),
        Measure(name="naive pgbench", unit="/s"),
        Measure(name="database connections", must=12, less=True),
        Measure(name="errors", flaw=True),
    ),
    ready=_ready,
)
