"""What the conditions of the other scenarios cost: 64 connections, one condition changed at a time.

As measured elsewhere: idempotency keys in half of the requests, access log at INFO, metrics, tracing off. Then without
keys; with the log at WARNING; and with tracing, of one request in a hundred and of all, into a collector that forgets.
Compare the CPU of one run.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.environment.collector import collecting
from benchmarks.environment.ground import Ground
from benchmarks.errors import BenchmarkFailed
from benchmarks.load import reserving, wrk
from benchmarks.load.reserving import Reserved
from benchmarks.measuring.scenario import Figures, Measure, Run, Scale, Scenario

_NAME: Final = "conditions"
_MEASURED: Final = "as measured"
_NO_KEYS: Final = "no keys"
_QUIET: Final = "log at WARNING"
_TRACED: Final = {"traces, 1 in 100": 0.01, "traces, all": 1.0}
_VARIANTS: Final = (_MEASURED, _NO_KEYS, _QUIET, *_TRACED)


@contextmanager
def _ready(ground: Ground, scale: Scale) -> Iterator[Run]:
    wrk.path()
    with ground.migrated(_NAME) as prepared:
        events = reserving.free_events(prepared, scale.seconds * reserving.MOST_PER_SECOND)
        files = {
            True: reserving.requests_file(ground, "keyed", events),
            False: reserving.requests_file(ground, "keyless", events, keys=False),
        }
        yield partial(_run, ground, scale, files)


def _run(ground: Ground, scale: Scale, files: dict[bool, Path]) -> Figures:
    figures: dict[str, float] = {}
    for variant in _VARIANTS:
        with collecting() as collector:
            settings = {"BOOKING_LOG_LEVEL": "WARNING"} if variant == _QUIET else {}
            if variant in _TRACED:
                settings = collector.settings(_TRACED[variant])
            made = _made(ground, scale, files[variant != _NO_KEYS], settings)
        if variant in _TRACED and not collector.batches:
            raise BenchmarkFailed("no trace arrived: is the extra `otel` installed?")
        figures |= {
            f"{variant}, rate": made.per_second,
            f"{variant}, service CPU": made.service_us,
            f"{variant}, PostgreSQL CPU": made.postgres_us,
            f"{variant}, errors": made.errors,
        }
    return figures


def _made(ground: Ground, scale: Scale, requests: Path, settings: Mapping[str, str]) -> Reserved:
    with ground.copy(_NAME) as url, ground.serving(url, **settings) as service:
        return reserving.reserve(service, requests, connections=scale.connections, seconds=scale.seconds)


SCENARIO: Final = Scenario(
    name=_NAME,
    what="what idempotency keys, the access log and tracing cost a reservation at 64 connections",
    measures=tuple(
        measure
        for variant in _VARIANTS
        for measure in (
            Measure(name=f"{variant}, rate", unit="/s"),
            Measure(name=f"{variant}, service CPU", unit="µs", less=True),
            Measure(name=f"{variant}, PostgreSQL CPU", unit="µs", less=True),
            Measure(name=f"{variant}, errors", flaw=True),
        )
    ),
    ready=_ready,
)
