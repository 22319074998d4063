"""What a scenario is: named measures, and something that can be run again and again to take them."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from attrs import frozen

from benchmarks.environment.ground import Ground

Figures = Mapping[str, float]
Run = Callable[[], Figures]


@frozen(kw_only=True)
class Measure:
    """One figure of every run, and what is asked of its median.

    More is better unless `less`. `must` and `aim` are None where nothing was promised. A `flaw` counts what must never
    happen: anything but 0, in any run, fails the benchmark.
    """

    name: str
    unit: str = ""
    must: float | None = None
    aim: float | None = None
    less: bool = False
    flaw: bool = False

    def reaches(self, figure: float, wanted: float) -> bool:
        """Whether the figure is as good as wanted; never if it cannot be taken here."""
        return figure <= wanted if self.less else figure >= wanted


@frozen(kw_only=True)
class Scale:
    """How much work a run is: `quick` shows that everything works and roughly how fast; `other` is another checkout."""

    seconds: int
    connections: int
    other: Path | None = None
    quick: bool = False
    large: bool = False

    def of(self, full: int, quick: int) -> int:
        """The one of two sizes that is asked for."""
        return quick if self.quick else full


@frozen(kw_only=True)
class Scenario:
    """One thing to measure. `ready` prepares data once and gives a run that takes every measure, each time anew.

    Preparing and running raise BenchmarkFailed; whatever was started is gone at the end of `ready`'s block.
    """

    name: str
    what: str
    measures: tuple[Measure, ...]
    ready: Callable[[Ground, Scale], AbstractContextManager[Run]]
