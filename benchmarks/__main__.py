"""`python -m benchmarks`: a table for each scenario, and with `--json FILE` all of it as a record.

Ends with 1 if a scenario could not be measured, or if something happened that must never happen; not because a figure
is lower than it must be, which depends on the machine and is said.
"""

import argparse
import json
import logging
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.environment.ground import Ground
from benchmarks.measuring.report import record, summary, table
from benchmarks.measuring.running import measure
from benchmarks.measuring.scenario import Scale
from benchmarks.scenarios import NAMES, scenario


def main() -> int:
    options = _options()
    if options.list:
        print("\n".join(f"{name:<18}{scenario(name).what}" for name in NAMES))
        return 0
    # The client tells of every connection that a stopping broker closes.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    signal.signal(signal.SIGTERM, _stop)
    begun_at = datetime.now(UTC)
    seconds = options.seconds or (3 if options.quick else 8)
    scale = Scale(seconds=seconds, connections=options.connections, quick=options.quick, large=options.large)
    outcomes = []
    with Ground() as ground:
        for chosen in map(scenario, options.only):
            outcomes.append(measure(chosen, ground, scale, runs=options.runs or (1 if options.quick else 3), say=_say))
            print(f"{table(outcomes[-1])}\n", flush=True)
    if options.json:
        options.json.write_text(json.dumps(record(outcomes, scale, begun_at), indent=2, ensure_ascii=False) + "\n")
    print(summary(outcomes) or "All figures are as they must be.")
    return 1 if any(outcome.trouble or outcome.flaws for outcome in outcomes) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--list", action="store_true", help="say which scenarios there are, and end")
    parser.add_argument("--only", type=_chosen, default=NAMES, metavar="NAME[,NAME…]", help="these alone")
    parser.add_argument("--runs", type=_positive, help="runs to take the median of (default 3; quick 1)")
    parser.add_argument(
        "--quick", action="store_true", help="little work: whether everything works, and roughly how fast"
    )
    parser.add_argument("--large", action="store_true", help="growth to ten million bookings")
    parser.add_argument("--seconds", type=_positive, help="length of a run of HTTP load (default 8; quick 3)")
    parser.add_argument("--connections", type=_positive, default=64, help="open HTTP connections (default 64)")
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
