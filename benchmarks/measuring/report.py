"""Figures as tables for people, and as a record."""

import math
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from benchmarks.measuring.processes import cpu_is_measured
from benchmarks.measuring.running import Outcome
from benchmarks.measuring.scenario import Measure, Scale

_NAME: Final = 40
_UNIT: Final = 5
_FIGURE: Final = 10
_BAR: Final = 14


def table(outcome: Outcome) -> str:
    """A line for each measure: every run, the median, and what was promised."""
    scenario = outcome.scenario
    lines = [f"{scenario.name}: {scenario.what}"]
    if outcome.runs:
        runs = "".join(f"{f'run {number}':>{_FIGURE}}" for number in range(1, len(outcome.runs) + 1))
        lines.append(f"  {'':<{_NAME}}{'':<{_UNIT}}{runs}{'median':>{_FIGURE}}{'must':>{_BAR}}{'aim':>{_BAR}}")
        lines += [_line(outcome, measure) for measure in scenario.measures]
    if not cpu_is_measured() and any("CPU" in measure.name for measure in scenario.measures):
        lines.append("  CPU is not available on this system: Linux alone tells what processes have used")
    if outcome.trouble:
        lines.append(f"  not measured: {outcome.trouble}")
    return "\n".join(line.rstrip() for line in lines)


def summary(outcomes: Sequence[Outcome]) -> str:
    """One line for everything that is not as it should be; empty if all is well."""
    lines = []
    for outcome in outcomes:
        name = outcome.scenario.name
        lines += [f"{name} was not measured: {outcome.trouble}"] if outcome.trouble else []
        lines += [f"{name}: {flaw}, which must never be" for flaw in outcome.flaws]
        lines += [f"{name}: {measure} is not as it must be" for measure in outcome.missed]
    return "\n".join(lines)


def record(outcomes: Sequence[Outcome], scale: Scale, begun_at: datetime) -> dict[str, Any]:
    """Everything that was measured, and where."""
    return {
        "begunAt": begun_at.isoformat(),
        "endedAt": datetime.now(UTC).isoformat(),
        "machine": {"cpus": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
        "scale": {
            "quick": scale.quick,
            "large": scale.large,
            "seconds": scale.seconds,
            "connections": scale.connections,
        },
        "scenarios": [_recorded(outcome) for outcome in outcomes],
    }


def _recorded(outcome: Outcome) -> dict[str, Any]:
    return {
        "name": outcome.scenario.name,
        "trouble": outcome.trouble or None,
        "measures": [_measured(outcome, measure) for measure in outcome.scenario.measures if outcome.runs],
    }


def _measured(outcome: Outcome, measure: Measure) -> dict[str, Any]:
    median = outcome.median(measure)
    return {
        "name": measure.name,
        "unit": measure.unit,
        "runs": [_figure(run[measure.name]) for run in outcome.runs],
        "median": _figure(median),
        "lessIsBetter": measure.less or measure.flaw,
        "must": measure.must,
        "mustReached": None if measure.must is None else measure.reaches(median, measure.must),
        "aim": measure.aim,
        "aimReached": None if measure.aim is None else measure.reaches(median, measure.aim),
    }


def _figure(figure: float) -> float | None:
    """JSON has no word for what is not a number."""
    return None if math.isnan(figure) else figure


def _line(outcome: Outcome, measure: Measure) -> str:
    runs = "".join(f"{written(run[measure.name]):>{_FIGURE}}" for run in outcome.runs)
    median = outcome.median(measure)
    bars = "".join(f"{bar(measure, median, wanted):>{_BAR}}" for wanted in (measure.must, measure.aim))
    return f"  {measure.name:<{_NAME}}{measure.unit:<{_UNIT}}{runs}{written(median):>{_FIGURE}}{bars}"


def bar(measure: Measure, median: float, wanted: float | None) -> str:
    if wanted is None:
        return ""
    if math.isnan(median):
        return f"{written(wanted)} ?"
    return f"{written(wanted)} {'yes' if measure.reaches(median, wanted) else 'NO'}"


def written(figure: float) -> str:
    """Three digits that matter, and whole numbers whole."""
    if math.isnan(figure):
        return "–"
    if figure == int(figure) or abs(figure) >= 100:
        return f"{figure:.0f}"
    return f"{figure:.1f}" if abs(figure) >= 10 else f"{figure:.3f}"
