"""`python -m benchmarks`: one table, and with `--json FILE` the same as a record."""

import argparse
import json
import sys
from pathlib import Path

from benchmarks import reservations
from benchmarks.ground import BenchmarkFailed
from benchmarks.report import table


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="runs to take the median of (default 3)")
    parser.add_argument("--seconds", type=int, default=8, help="length of each run (default 8)")
    parser.add_argument("--connections", type=int, default=64, help="open HTTP connections (default 64)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as well")
    options = parser.parse_args()
    try:
        figures = reservations.measure(
            runs=options.runs, seconds=options.seconds, connections=options.connections, say=_say
        )
    except BenchmarkFailed as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(table(figures))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 1 if any(run["errors"] for run in figures["runs"]) else 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


sys.exit(main())
