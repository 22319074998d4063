"""Figures of the benchmarks in tables and records, where one cannot be taken too."""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from benchmarks.beside import Beside
from benchmarks.beside import table as table_beside
from benchmarks.environment.ground import Ground
from benchmarks.measuring.report import record, summary, table
from benchmarks.measuring.running import Outcome
from benchmarks.measuring.scenario import Measure, Run, Scale, Scenario


@contextmanager
def ready(_: Ground, __: Scale) -> Iterator[Run]:
    yield dict


CPU = Measure(name="service CPU", unit="µs", must=600, aim=350, less=True)
SCENARIO = Scenario(name="one", what="a scenario", measures=(CPU,), ready=ready)
SCALE = Scale(seconds=1, connections=1)


def outcome(*figures: float) -> Outcome:
    return Outcome(scenario=SCENARIO, runs=tuple({CPU.name: figure} for figure in figures))


def test_a_median_that_misses_what_it_must_be_is_said() -> None:
    assert "600 NO" in table(outcome(500, 700, 800))
    assert summary([outcome(500, 700, 800)]) == "one: service CPU is not as it must be"
    assert summary([outcome(500, 550, 800)]) == ""


def test_a_figure_that_cannot_be_taken_is_neither_reached_nor_missed() -> None:
    found = table(outcome(math.nan))

    assert "–" in found
    assert "600 ?" in found
    assert summary([outcome(math.nan)]) == ""


def test_a_figure_that_cannot_be_taken_is_null_in_the_record() -> None:
    text = json.dumps(record([outcome(math.nan)], SCALE, datetime(2026, 1, 1, tzinfo=UTC)), allow_nan=False)

    assert json.loads(text)["scenarios"][0]["measures"][0]["runs"] == [None]


def test_figures_beside_are_medians_and_their_ratio() -> None:
    runs = {which: [{CPU.name: figure} for figure in figures] for which, figures in FIGURES.items()}

    line = table_beside(Beside(scenario=SCENARIO, runs=runs)).splitlines()[-1]

    assert line.split() == ["service", "CPU", "µs", "1000", "400", "0.400"]


FIGURES = {"before": [900.0, 1000.0, 5000.0], "now": [300.0, 400.0, 4000.0]}
