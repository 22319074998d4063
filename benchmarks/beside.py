"""Two checkouts in one run, turn about: `python -m benchmarks --beside /path/to/the/other --only NAME[,NAME…]`.

Whole runs of any scenario alternate here, a minute or more each; the scenario `before` alternates seconds. Each is run
by the Python of its checkout, so that the programs, and what is measured in the process, are of that checkout; the
benchmarks themselves are those of this one for both. "Before" is the other checkout. Which of them begins changes.
"""

import json
import math
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from benchmarks.errors import BenchmarkFailed
from benchmarks.measuring.report import written
from benchmarks.measuring.scenario import Measure, Scenario

_ROOT: Final = Path(__file__).parents[1]
_LONGEST_SECONDS: Final = 3600.0
_BEFORE, _NOW = "before", "now"

Runs = Mapping[str, list[dict[str, float]]]


@frozen(kw_only=True)
class Beside:
    """A scenario's runs of both, by measure; `trouble` says why there are none or fewer."""

    scenario: Scenario
    runs: Runs
    trouble: str = ""

    def median(self, which: str, measure: Measure) -> float:
        """Of the runs of `before` or `now`; nan if one of them was not to be had."""
        figures = [run[measure.name] for run in self.runs[which]]
        return statistics.median(figures) if figures else float("nan")

    def ratio(self, measure: Measure) -> float:
        """Now ÷ before; nan if there is nothing to divide by."""
        before = self.median(_BEFORE, measure)
        return self.median(_NOW, measure) / before if before else float("nan")


def python_of(checkout: Path) -> Path:
    """The Python in the environment of that checkout. BenchmarkFailed says how to make one."""
    found = checkout / ".venv" / "bin" / "python"
    if not found.exists():
        raise BenchmarkFailed(f"there is no .venv in {checkout}: run `make .venv/.ready` there")
    return found


def beside(
    scenario: Scenario, other: Path, arguments: Sequence[str], *, runs: int, tokens: Path, say: Callable[[str], None]
) -> Beside:
    """Run the scenario so many times with each checkout. Never raises for what goes wrong in a run."""
    pythons = {_BEFORE: python_of(other), _NOW: Path(sys.executable)}
    taken: dict[str, list[dict[str, float]]] = {_BEFORE: [], _NOW: []}
    for number in range(runs):
        for which in (_BEFORE, _NOW) if number % 2 == 0 else (_NOW, _BEFORE):
            say(f"{scenario.name}: {which}, run {number + 1} of {runs} ...")
            try:
                taken[which].append(_run(pythons[which], scenario, [*arguments, "--tokens", str(tokens)]))
            except BenchmarkFailed as error:
                return Beside(scenario=scenario, runs=taken, trouble=f"{which}: {error}")
    return Beside(scenario=scenario, runs=taken)


def table(outcome: Beside) -> str:
    """A line for each measure: both medians, and one divided by the other."""
    scenario = outcome.scenario
    lines = [f"{scenario.name}: {scenario.what}"]
    lines.append(f"  {'':<40}{'':<5}{'before':>10}{'now':>10}{'÷ before':>10}")
    for measure in scenario.measures:
        before, now = (outcome.median(which, measure) for which in (_BEFORE, _NOW))
        ratio = written(outcome.ratio(measure))
        lines.append(f"  {measure.name:<40}{measure.unit:<5}{written(before):>10}{written(now):>10}{ratio:>10}")
    if outcome.trouble:
        lines.append(f"  not measured: {outcome.trouble}")
    return "\n".join(line.rstrip() for line in lines)


def record(outcome: Beside) -> dict[str, Any]:
    """All runs of both."""
    runs = {
        which: [{name: None if math.isnan(figure) else figure for name, figure in run.items()} for run in taken]
        for which, taken in outcome.runs.items()
    }
    return {"name": outcome.scenario.name, "trouble": outcome.trouble or None, **runs}


def _run(python: Path, scenario: Scenario, arguments: Sequence[str]) -> dict[str, float]:
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        command = [str(python), "-m", "benchmarks", "--only", scenario.name, "--runs", "1", "--json", file.name]
        done = subprocess.run(
            [*command, *arguments], cwd=_ROOT, stdout=subprocess.PIPE, text=True, timeout=_LONGEST_SECONDS
        )
        said = Path(file.name).read_text()
    if not said:
        raise BenchmarkFailed(f"its run ended with exit code {done.returncode}: see above")
    found = json.loads(said)["scenarios"][0]
    if found["trouble"]:
        raise BenchmarkFailed(found["trouble"])
    return {
        measure["name"]: float("nan") if measure["median"] is None else measure["median"]
        for measure in found["measures"]
    }
