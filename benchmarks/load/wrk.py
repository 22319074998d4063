"""wrk as the load generator, and what it saw (`requests.lua` says what it sends)."""

import json
import resource
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from benchmarks.errors import BenchmarkFailed
from benchmarks.figures import percentile

THREADS: Final = 2
_SCRIPT: Final = Path(__file__).with_name("requests.lua")
_CREATED: Final = 201


@frozen
class Times:
    """Answers by how many milliseconds they took: pairs of that and how many."""

    rows: tuple[tuple[float, int], ...] = ()

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
class Seen:
    """Answers by status, each request's time from its sending, and requests that were not answered as they must be.

    `unanswered`: the connection broke, or nothing came within two seconds; `exhausted`: threads that ran out of
    requests, so that the rates are too low.
    """

    answers: dict[int, Times]
    unidentified: int
    unanswered: int
    exhausted: int
    sent: int
    seconds: float
    own_cpu_seconds: float
    """What the load generator itself has used."""

    def times(self, status: int = _CREATED) -> Times:
        """The answers of that status."""
        return self.answers.get(status, Times())

    @property
    def ok(self) -> int:
        """Answers of 200."""
        return self.times(200).count

    @property
    def created(self) -> int:
        """Answers of 201."""
        return self.times(_CREATED).count

    @property
    def conflict(self) -> int:
        """Answers of 409."""
        return self.times(409).count

    @property
    def busy(self) -> int:
        """Answers of 503."""
        return self.times(503).count

    @property
    def other(self) -> int:
        """All others."""
        known = self.ok + self.created + self.conflict + self.busy
        return sum(times.count for times in self.answers.values()) - known + self.unidentified

    @property
    def refused_percent(self) -> float:
        """Answers of 503 in a hundred answers."""
        return 100 * self.busy / max(1, sum(times.count for times in self.answers.values()))


def path() -> str:
    """Where wrk is; BenchmarkFailed says how to get it."""
    found = shutil.which("wrk")
    if found is None:
        raise BenchmarkFailed("wrk is missing, the load generator: on Debian and Ubuntu `apt-get install wrk`")
    return found


def load(
    url: str,
    requests: Path,
    *,
    connections: int,
    seconds: float,
    rate: float = 0,
    again: bool = False,
    keyed: bool = False,
    retry: bool = False,
) -> Seen:
    """Send the requests of the file, as fast as they are answered or, with a `rate`, so many a second.

    The rate cannot be kept while all connections are busy, which `sent` tells. `again`: from the start again at the
    end; `keyed`: each with an idempotency key of its own; `retry`: one that is answered 503 is sent again at once.
    BenchmarkFailed if wrk does not get to the end.
    """
    options = {
        "file": requests,
        "threads": THREADS,
        "rate": f"{rate:.1f}",
        "last": "again" if again else "once",
        "refused": "retry" if retry else "drop",
        "keys": "each" if keyed else "file",
    }
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = _run(url, (f"{name}={value}" for name, value in options.items()), connections, seconds)
    own = resource.getrusage(resource.RUSAGE_CHILDREN)
    own_cpu = own.ru_utime + own.ru_stime - before.ru_utime - before.ru_stime
    by_status: dict[int, list[tuple[float, int]]] = {}
    for status, took, times in said.pop("answers"):
        by_status.setdefault(status, []).append((took, times))
    answers = {status: Times(tuple(rows)) for status, rows in by_status.items()}
    return Seen(answers=answers, own_cpu_seconds=own_cpu, **said)


def _run(url: str, arguments: Iterable[str], connections: int, seconds: float) -> dict[str, Any]:
    command = [path(), "--threads", str(THREADS), "--connections", str(connections), "--duration", f"{seconds:.0f}s"]
    done = subprocess.run(
        [*command, "--timeout", "10s", "--script", str(_SCRIPT), url, "--", *arguments],
        capture_output=True,
        text=True,
        timeout=seconds + 60,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise BenchmarkFailed(f"wrk failed: {(done.stderr or done.stdout).strip()}")
    said: dict[str, Any] = json.loads(lines[-1])
    return said
