"""`python -m benchmarks`: a table for each scenario, and with `--json FILE` all of it as a record.

Ends with 1 if a scenario could not be measured, or if something happened that must never happen; not because a figure
is lower than it must be, which depends on the machine and is said.
"""

import argparse
import json
import logging
import signal
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import beside
from benchmarks.environment.ground import Ground
from benchmarks.measuring.report import record, summary, table
from benchmarks.measuring.running import measure
from benchmarks.measuring.scenario import Scale
from benchmarks.scenarios import BEFORE, NAMES, scenario


def main() -> int:
    options = _options()
    if options.list:
        print("\n".join(f"{name:<18}{scenario(name).what}" for name in NAMES))
        return 0
    # The client tells of every connection that a stopping broker closes.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    signal.signal(signal.SIGTERM, _stop)
    options.runs = options.runs or (1 if options.quick else 3)
    options.only = options.only or ((BEFORE,) if options.beside else tuple(name for name in NAMES if name != BEFORE))
    return _beside(options) if options.beside and options.only != (BEFORE,) else _measured(options)


def _measured(options: argparse.Namespace) -> int:
    begun_at = datetime.now(UTC)
    seconds = options.seconds or (3 if options.quick else 8)
    scale = Scale(
        seconds=seconds,
        connections=options.connections,
        other=options.beside,
        quick=options.quick,
        large=options.large,
    )
    outcomes = []
    with Ground(options.tokens) as ground:
        for chosen in map(scenario, options.only):
            outcomes.append(measure(chosen, ground, scale, runs=options.runs, say=_say))
            print(f"{table(outcomes[-1])}\n", flush=True)
    _write(options.json, record(outcomes, scale, begun_at))
    print(summary(outcomes) or "All figures are as they must be.")
    return 1 if any(outcome.trouble or outcome.flaws for outcome in outcomes) else 0


def _beside(options: argparse.Namespace) -> int:
    given = (("--seconds", options.seconds), ("--connections", options.connections))
    arguments = [text for name, value in given if value for text in (name, str(value))]
    arguments += ["--quick"] * options.quick + ["--large"] * options.large
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="booking-bench-tokens-") as tokens:
        for chosen in map(scenario, options.only):
            outcome = beside.beside(chosen, options.beside, arguments, runs=options.runs, tokens=Path(tokens), say=_say)
            print(f"{beside.table(outcome)}\n", flush=True)
            outcomes.append(outcome)
    _write(options.json, {"scenarios": [beside.record(outcome) for outcome in outcomes]})
    return 1 if any(outcome.trouble for outcome in outcomes) else 0


def _write(file: Path | None, figures: Mapping[str, Any]) -> None:
    if file is not None:
        file.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--list", action="store_true", help="say which scenarios there are, and end")
    parser.add_argument("--only", type=_chosen, metavar="NAME[,NAME…]", help="these alone")
    parser.add_argument("--runs", type=_positive, help="runs to take the median of (default 3; quick 1)")
    parser.add_argument(
        "--quick", action="store_true", help="little work: whether everything works, and roughly how fast"
    )
    parser.add_argument("--large", action="store_true", help="growth to ten million bookings")
    parser.add_argument("--seconds", type=_positive, help="length of a run of HTTP load (default 8; quick 3)")
    parser.add_argument("--connections", type=_positive, default=64, help="open HTTP connections (default 64)")
    parser.add_argument("--beside", type=Path, metavar="DIR", help="alternate with another checkout, which has a .venv")
    parser.add_argument("--tokens", type=Path, metavar="DIR", help="keep the customers' tokens here for other runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as well")
    return parser.parse_args()


def _chosen(text: str) -> tuple[str, ...]:
    chosen = text.split(",")
    for name in chosen:
        if name not in NAMES:
            raise argparse.ArgumentTypeError(f"there is no scenario {name!r}, only: {', '.join(NAMES)}")
    return tuple(name for name in NAMES if name in chosen)


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError("must be a whole number above 0")
    return int(text)


def _stop(*_: object) -> None:
    """SIGTERM ends the benchmark like Ctrl-C: everything that it has started is stopped on the way out."""
    raise KeyboardInterrupt


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        _say("stopped")
        sys.exit(130)
