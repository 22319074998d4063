"""Reservations by this checkout and by another, `--beside DIR`, alternated every two seconds.

Both services run all the while, each on a database of its own that its own program has migrated; one of them has the
load. What else the machine does changes within half a minute, so that windows of seconds meet the same on both sides.
With 64, 256 and 4 connections, four windows each; a figure is the median of its windows.
"""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.environment.ground import Ground
from benchmarks.environment.programs import PROGRAM
from benchmarks.errors import BenchmarkFailed
from benchmarks.load import reserving, wrk
from benchmarks.load.reserving import Reserved
from benchmarks.measuring.scenario import Figures, Measure, Run, Scale, Scenario

_NAME: Final = "before"
_SIDES: Final = ("before", "now")
_CONNECTIONS: Final = (64, 256, 4)
_SECONDS: Final = 2
_WINDOWS: Final = 4
_PENDING_OF_EACH: Final = 3

Windows = Mapping[str, Sequence[Path]]


@contextmanager
def _ready(ground: Ground, scale: Scale) -> Iterator[Run]:
    wrk.path()
    if scale.other is None:
        raise BenchmarkFailed("say with --beside where another checkout is")
    other = scale.other / ".venv" / "bin" / "booking"
    if not other.exists():
        raise BenchmarkFailed(f"there is no {other}: run `make .venv/.ready` in {scale.other}")
    programs = {"before": str(other), "now": PROGRAM}
    with ExitStack() as stack:
        files = {}
        for side, program in programs.items():
            files[side] = _windows(ground, side, stack.enter_context(ground.migrated(_name(side), program=program)))
        yield partial(_run, ground, programs, files)


def _name(side: str) -> str:
    return f"side_{side}"


def _windows(ground: Ground, side: str, url: str) -> list[Path]:
    """A file of requests for each window, and one to warm up."""
    of_each = _SECONDS * reserving.MOST_PER_SECOND
    return [
        reserving.requests_file(
            ground,
            f"{side}_{number}",
            reserving.free_events(url, of_each),
            first_customer=number // _PENDING_OF_EACH * 2 * of_each,
        )
        for number in range(_WINDOWS + 1)
    ]


def _run(ground: Ground, programs: Mapping[str, str], files: Windows) -> Figures:
    figures: dict[str, float] = {}
    for connections in _CONNECTIONS:
        taken = _alternated(ground, programs, files, connections)
        medians = {side: _medians(taken[side]) for side in _SIDES}
        for name in medians["now"]:
            before, now = (medians[side][name] for side in _SIDES)
            figures |= {f"{name}, {connections}, before": before, f"{name}, {connections}, now": now}
            if name in _DIVIDED:
                figures[f"{name}, {connections}, ÷ before"] = now / before
    return figures


def _alternated(
    ground: Ground, programs: Mapping[str, str], files: Windows, connections: int
) -> dict[str, list[Reserved]]:
    taken: dict[str, list[Reserved]] = {side: [] for side in _SIDES}
    with ExitStack() as stack:
        services = {}
        for side in _SIDES:
            url = stack.enter_context(ground.copy(_name(side)))
            services[side] = stack.enter_context(ground.serving(url, program=programs[side]))
            reserving.reserve(services[side], files[side][_WINDOWS], connections=connections, seconds=1)
        for number in range(_WINDOWS):
            for side in _SIDES if number % 2 == 0 else reversed(_SIDES):
                taken[side].append(
                    reserving.reserve(services[side], files[side][number], connections=connections, seconds=_SECONDS)
                )
    return taken


def _medians(windows: Sequence[Reserved]) -> dict[str, float]:
    each = [
        {
            "reservations": window.per_second,
            "p50": window.seen.times().percentile(50),
            "p95": window.seen.times().percentile(95),
            "service CPU": window.service_us,
            "PostgreSQL CPU": window.postgres_us,
            "refused": window.seen.refused_percent,
        }
        for window in windows
    ]
    medians = {name: statistics.median(window[name] for window in each) for name in each[0]}
    return medians | {"errors": sum(window.errors for window in windows)}


_DIVIDED: Final = {"reservations": "/s", "p50": "ms", "p95": "ms", "service CPU": "µs", "PostgreSQL CPU": "µs"}
_UNITS: Final = {**_DIVIDED, "refused": "%"}


def _measures() -> Iterator[Measure]:
    for connections in _CONNECTIONS:
        for name, unit in _UNITS.items():
            less = name != "reservations"
            for side in _SIDES:
                yield Measure(name=f"{name}, {connections}, {side}", unit=unit, less=less)
            if name in _DIVIDED:
                must, aim = (1.1, 1.0) if (name, connections) == ("p50", 4) else (None, None)
                yield Measure(name=f"{name}, {connections}, ÷ before", must=must, aim=aim, less=less)
        yield Measure(name=f"errors, {connections}, before", less=True)
        yield Measure(name=f"errors, {connections}, now", flaw=True)


SCENARIO: Final = Scenario(
    name=_NAME,
    what="reservations by this checkout and by another (--beside DIR), alternated every two seconds",
    measures=tuple(_measures()),
    ready=_ready,
)
