"""Customers who go on reserving at a steady rate while something else happens (`paced` is what they run)."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from attrs import frozen

from benchmarks.environment.programs import Program, running_module
from benchmarks.errors import BenchmarkFailed
from benchmarks.figures import percentile

MADE: Final = 201
_QUIET: Final = 0.9
_WARM_UP_SECONDS: Final = 1.0


@frozen
class Answers:
    """What the customers saw: when each request was due (seconds of the epoch), its milliseconds and its status."""

    rows: tuple[tuple[float, float, int], ...]

    def p95(self, begin: float = 0.0, end: float = float("inf")) -> float:
        """Milliseconds of the reservations that were made, of those whose requests were due in that time."""
        return percentile((took for due, took, status in self.rows if begin <= due <= end and status == MADE), 95)

    @property
    def refused(self) -> int:
        """How many reservations were not made."""
        return sum(status != MADE for _, _, status in self.rows)


class SideStream:
    """Requests under way."""

    def __init__(self, program: Program, seconds: float) -> None:
        self._program, self._seconds = program, seconds

    def answers(self, *, at_once: bool = False) -> Answers:
        """Wait for the last one; `at_once`: begin no other."""
        if at_once:
            self._program.stop()
        said = json.loads(self._program.output(self._seconds + 30))
        start = said["started_at"]
        return Answers(tuple((start + due, took, status) for due, took, status in said["answers"]))


@contextmanager
def side_stream(url: str, requests: Path, *, rate: int, seconds: float) -> Iterator[SideStream]:
    """The first requests of the file, so many a second; they have started when the block begins."""
    with running_module("benchmarks.load.paced", url, str(requests), str(rate), str(seconds)) as program:
        if program.line() != "started\n":
            raise BenchmarkFailed("the customers did not start: see above")
        yield SideStream(program, seconds)


def all_answers(url: str, requests: Path, *, rate: int, seconds: float) -> Answers:
    """What the customers see who have the service for themselves, but for the first second, in which it warms up.

    BenchmarkFailed if one in ten cannot reserve.
    """
    with side_stream(url, requests, rate=rate, seconds=seconds) as stream:
        answers = stream.answers()
    if answers.refused > (1 - _QUIET) * len(answers.rows):
        raise BenchmarkFailed(f"{answers.refused} of {len(answers.rows)} reservations failed on a quiet service")
    begin = min(due for due, _, _ in answers.rows) + _WARM_UP_SECONDS
    return Answers(tuple(row for row in answers.rows if row[0] >= begin))
