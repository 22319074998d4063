"""wrk as the load generator, and what it saw."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

from benchmarks.ground import BenchmarkFailed

_THREADS: Final = 2


def path() -> str:
    """Where wrk is; BenchmarkFailed says how to get it."""
    found = shutil.which("wrk")
    if found is None:
        raise BenchmarkFailed("wrk is missing, the load generator: on Debian and Ubuntu `apt-get install wrk`")
    return found


def post(url: str, script: Path, requests: Path, *, connections: int, seconds: int) -> dict[str, Any]:
    """Send the requests of the file, each once, as fast as they are answered; the script's own JSON of what it saw."""
    command = [path(), "--threads", str(_THREADS), "--connections", str(connections), "--duration", f"{seconds}s"]
    done = subprocess.run(
        [*command, "--timeout", "10s", "--script", str(script), url, "--", str(requests), str(_THREADS)],
        capture_output=True,
        text=True,
        timeout=seconds + 60,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise BenchmarkFailed(f"wrk failed: {(done.stderr or done.stdout).strip()}")
    seen: dict[str, Any] = json.loads(lines[-1])
    return seen
