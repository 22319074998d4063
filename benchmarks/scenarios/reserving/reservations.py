"""Calm reservations: 64 connections, every request a different user and two different free seats.

Through `booking serve` with signed tokens, everything on: history, outbox, fsync, synchronous commit. The naive
yardstick is taken just before and just after each run; the ratio is to the mean of the two.
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
from benchmarks.measuring.scenario import Figures, Measure, Run, Scale, Scenario
from benchmarks.yardsticks import naive

_NAME: Final = "reservations"


@contextmanager
def _ready(ground: Ground, scale: Scale) -> Iterator[Run]:
    wrk.path()
    with ground.migrated(_NAME) as prepared:
        events = reserving.free_events(prepared, scale.seconds * reserving.MOST_PER_SECOND)
        requests = reserving.requests_file(ground, _NAME, events)
        yield partial(_run, ground, scale, requests)


def _run(ground: Ground, scale: Scale, requests: Path) -> Figures:
    before = naive.reservations_per_second(ground.server, scale.seconds)
    with ground.copy(_NAME) as url, ground.serving(url) as address, _Connections(url) as watched:
        seen = reserving.reserve(address, url, requests, connections=scale.connections, seconds=scale.seconds)
    after = naive.reservations_per_second(ground.server, scale.seconds)
    yardstick, per_second = (before + after) / 2, seen.created / seen.seconds
    return {
        "reservations": per_second,
        "p50": seen.p50_ms,
        "p95": seen.p95_ms,
        "p99": seen.p99_ms,
        "naive pgbench": yardstick,
        "÷ naive pgbench": per_second / yardstick,
        "database connections": watched.most,
        "refused": seen.busy,
        "errors": seen.ok + seen.conflict + seen.other + seen.unanswered + seen.exhausted,
    }


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


SCENARIO: Final = Scenario(
    name=_NAME,
    what="reservations of free seats through HTTP with tokens, beside naive pgbench",
    measures=(
        Measure(name="reservations", unit="/s", must=1000, aim=1800),
        Measure(name="p50", unit="ms", less=True),
        Measure(name="p95", unit="ms", must=150, aim=60, less=True),
        Measure(name="p99", unit="ms", less=True),
        Measure(name="naive pgbench", unit="/s"),
        Measure(name="÷ naive pgbench", must=0.25, aim=0.40),
        Measure(name="database connections", must=12, less=True),
        Measure(name="refused", less=True),
        Measure(name="errors", flaw=True),
    ),
    ready=_ready,
)
