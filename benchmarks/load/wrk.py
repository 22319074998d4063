"""wrk as the load generator, and what it saw."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from benchmarks.errors import BenchmarkFailed

THREADS: Final = 2
_SCRIPT: Final = Path(__file__).with_name("requests.lua")


@frozen(kw_only=True)
class Seen:
    """Answers by status, requests without an answer, whether requests ran out (`exhausted`), and how long it took."""

    ok: int
    created: int
    conflict: int
    busy: int
    other: int
    exhausted: int
    unanswered: int
    seconds: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


def path() -> str:
    """Where wrk is; BenchmarkFailed says how to get it."""
    found = shutil.which("wrk")
    if found is None:
        raise BenchmarkFailed("wrk is missing, the load generator: on Debian and Ubuntu `apt-get install wrk`")
    return found


def load(
    url: str, requests: Path, *, connections: int, seconds: float, again: bool = False, keyed: bool = False
) -> Seen:
    """Send the requests of the file as fast as they are answered.

    `again`: from the start again at its end; `keyed`: each with an idempotency key of its own.
    """
    arguments = [str(requests), str(THREADS), "again" if again else "once", "keyed" if keyed else ""]
    return Seen(**run(_SCRIPT, url, arguments, connections=connections, seconds=seconds))


def run(script: Path, url: str, arguments: Sequence[str], *, connections: int, seconds: float) -> dict[str, Any]:
    """What the script says at the end, as one line of JSON. BenchmarkFailed if it does not get there."""
    command = [path(), "--threads", str(THREADS), "--connections", str(connections), "--duration", f"{seconds:.0f}s"]
    done = subprocess.run(
        [*command, "--timeout", "10s", "--script", str(script), url, "--", *arguments],
        capture_output=True,
        text=True,
        timeout=seconds + 60,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise BenchmarkFailed(f"wrk failed: {(done.stderr or done.stdout).strip()}")
    said: dict[str, Any] = json.loads(lines[-1])
    return said
