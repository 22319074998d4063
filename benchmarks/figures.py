"""Percentiles."""

from collections.abc import Iterable
from math import ceil

from benchmarks.errors import BenchmarkFailed


def percentile(figures: Iterable[float], percent: float) -> float:
    """The smallest figure that so many per cent do not exceed. BenchmarkFailed without any figure."""
    ordered = sorted(figures)
    if not ordered:
        raise BenchmarkFailed("nothing was measured in the time that matters")
    return ordered[max(0, ceil(percent / 100 * len(ordered)) - 1)]
