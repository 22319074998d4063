"""Scenarios one after the other: what cannot be measured is said, and the others go on."""

import math
import statistics
import traceback
from collections.abc import Callable, Sequence
from typing import Final

from attrs import frozen

from benchmarks.environment.ground import Ground
from benchmarks.errors import BenchmarkFailed
from benchmarks.measuring.scenario import Figures, Measure, Scale, Scenario

Say = Callable[[str], None]
_BUG: Final = "it met an error of its own, see above"


@frozen(kw_only=True)
class Outcome:
    """What came of a scenario: its runs as far as they came, and why they came no further (empty: they did)."""

    scenario: Scenario
    runs: tuple[Figures, ...]
    trouble: str = ""

    def median(self, measure: Measure) -> float:
        """Of all runs. Only for an outcome that has any."""
        return statistics.median(run[measure.name] for run in self.runs)

    @property
    def flaws(self) -> Sequence[str]:
        """What happened and must never happen."""
        return [
            f"{measure.name}: {run[measure.name]:.0f}"
            for measure in self.scenario.measures
            for run in self.runs
            if measure.flaw and run[measure.name]
        ]

    @property
    def missed(self) -> Sequence[str]:
        """Measures that are not as good as they must be."""
        if not self.runs:
            return []
        return [
            measure.name
            for measure in self.scenario.measures
            if measure.must is not None
            and not math.isnan(self.median(measure))
            and not measure.reaches(self.median(measure), measure.must)
        ]


def measure(scenario: Scenario, ground: Ground, scale: Scale, *, runs: int, say: Say) -> Outcome:
    """Take the scenario's measures so many times. Never raises for what goes wrong in it."""
    taken: list[Figures] = []
    try:
        say(f"{scenario.name}: preparing ...")
        with scenario.ready(ground, scale) as run:
            for number in range(1, runs + 1):
                say(f"{scenario.name}: run {number} of {runs} ...")
                taken.append(_complete(scenario, run()))
    except BenchmarkFailed as error:
        return Outcome(scenario=scenario, runs=tuple(taken), trouble=str(error))
    except Exception as error:
        # A scenario that is broken must not cost the figures of the others.
        traceback.print_exc()
        return Outcome(scenario=scenario, runs=tuple(taken), trouble=f"{_BUG}: {type(error).__name__}")
    return Outcome(scenario=scenario, runs=tuple(taken))


def _complete(scenario: Scenario, figures: Figures) -> Figures:
    """The figures in the order of the measures, each of which must have one."""
    names = [measure.name for measure in scenario.measures]
    if set(names) != set(figures):
        raise ValueError(f"{scenario.name} promises {names} and took {sorted(figures)}")
    return {name: float(figures[name]) for name in names}
