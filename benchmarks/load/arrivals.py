"""Requests that arrive at a rate of their own, more than are answered if need be: an open loop, with wrk.

Who is refused with 503 comes back later with the same request. A request's time counts from when it was sent; if all
connections are busy the rate cannot be kept, which `sent` tells.
"""

from pathlib import Path
from typing import Final

from attrs import frozen

from benchmarks.figures import percentile
from benchmarks.load import wrk

_SCRIPT: Final = Path(__file__).with_name("arrivals.lua")
_TIMES: Final = ("accepted", "refused")


@frozen
class Times:
    """Answers by how many milliseconds they took, rounded up: pairs of that and how many."""

    rows: tuple[tuple[int, int], ...]

    @property
    def count(self) -> int:
        """How many answers there were."""
        return sum(times for _, times in self.rows)

    def percentile(self, percent: float) -> float:
        """Milliseconds; 0 if there was no answer."""
        if not self.rows:
            return 0.0
        return percentile((took for took, times in self.rows for _ in range(times)), percent)


@frozen(kw_only=True)
class Arrived:
    """201 and 503 with their times, and how many were answered otherwise, or not within two seconds, or sent at all.

    `exhausted` counts the threads that ran out of requests.
    """

    accepted: Times
    refused: Times
    conflict: int
    other: int
    unanswered: int
    exhausted: int
    sent: int
    seconds: float


def arrive(url: str, requests: Path, *, rate: float, connections: int, seconds: float) -> Arrived:
    """Send requests of the file, each until it is answered otherwise than by 503, so many a second in all."""
    arguments = [str(requests), str(wrk.THREADS), f"{rate:.1f}"]
    said = wrk.run(_SCRIPT, url, arguments, connections=connections, seconds=seconds)
    accepted, refused = (Times(tuple((took, number) for took, number in said.pop(name))) for name in _TIMES)
    return Arrived(accepted=accepted, refused=refused, **said)
