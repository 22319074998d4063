"""A sale of 2,000 seats to 20,000 customers until nothing is left (`benchmarks.load.rush` says how they behave).

How long it takes counts to the last seat sold. The figures of answers are those of the rush, which ends when every
customer has bought or given up.
"""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from benchmarks.environment import seeding
from benchmarks.environment.databases import ask
from benchmarks.environment.ground import Ground
from benchmarks.environment.programs import running_module
from benchmarks.environment.seeding import SeededEvent
from benchmarks.errors import BenchmarkFailed
from benchmarks.measuring.scenario import Figures, Measure, Run, Scale, Scenario

_NAME: Final = "flash_sale"
_LONGEST_SECONDS: Final = 120
_ANSWERS: Final = {"201", "409", "503", "0"}


@frozen(kw_only=True)
class _Stage:
    ground: Ground
    event: SeededEvent
    wanted: Path
    connections: int


@contextmanager
def _ready(ground: Ground, scale: Scale) -> Iterator[Run]:
    with ground.migrated(_NAME) as prepared:
        event = seeding.put_events(prepared, number=1, seats=scale.of(2000, 200))[0]
        wanted = {
            "eventId": str(event.event_id),
            "seatIds": [str(seat_id) for seat_id in event.seat_ids],
            "customers": [ground.token(number) for number in range(scale.of(20_000, 2000))],
        }
        file = ground.file(_NAME, json.dumps(wanted))
        yield partial(_run, _Stage(ground=ground, event=event, wanted=file, connections=scale.of(1000, 250)))


def _run(stage: _Stage) -> Figures:
    with stage.ground.copy(_NAME) as url, stage.ground.serving(url) as service:
        arguments = (service.address, str(stage.wanted), str(stage.connections), str(_LONGEST_SECONDS))
        with running_module("benchmarks.load.rush", *arguments) as program:
            said = json.loads(program.output(_LONGEST_SECONDS + 30))
        return _figures(said) | {
            "seats unsold": max(len(stage.event.seat_ids) - _claimed(url), said["free"]),
            "seats sold twice": _sold_twice(url, said["sold"]),
        }


def _figures(said: dict[str, Any]) -> dict[str, float]:
    answers, seconds = said["answers"], said["seconds"]
    if not answers.keys() <= _ANSWERS:
        raise BenchmarkFailed(f"there were other answers than 201, 409 and 503: {answers}")
    return {
        "sold out after": said["soldAfter"],
        "rush": seconds,
        "answers": (answers.get("201", 0) + answers.get("409", 0)) / seconds,
        "busy": answers.get("503", 0) / seconds,
        "p95 of all answers": said["p95"],
        "longest wait for an answer": said["longest"],
        "unanswered": answers.get("0", 0),
        "last seats, asked for": said["lastSeats"],
        "customers' own CPU": 100 * said["cpu"] / seconds,
    }


def _claimed(url: str) -> int:
    return int(ask(url, "SELECT count(DISTINCT seat_id) FROM booking.claims WHERE ended_at IS NULL")[0])


def _sold_twice(url: str, sold: list[str]) -> int:
    """Seats that two customers were promised, or that two bookings have. BenchmarkFailed if a promise is not kept."""
    stored, distinct = ask(url, "SELECT count(*), count(DISTINCT seat_id) FROM booking.claims WHERE ended_at IS NULL")
    if stored < len(set(sold)):
        raise BenchmarkFailed(f"{len(set(sold))} seats were promised, and {distinct} are held")
    return max(int(stored - distinct), sum(times > 1 for times in Counter(sold).values()))


SCENARIO: Final = Scenario(
    name=_NAME,
    what="20,000 customers on 1,000 connections buy 2,000 seats, two by two, until nothing is left",
    measures=(
        Measure(name="sold out after", unit="s", less=True),
        Measure(name="rush", unit="s", less=True),
        Measure(name="answers", unit="/s"),
        Measure(name="busy", unit="/s", less=True),
        Measure(name="p95 of all answers", unit="ms", less=True),
        Measure(name="longest wait for an answer", unit="ms", less=True),
        Measure(name="unanswered", less=True),
        Measure(name="last seats, asked for", less=True),
        Measure(name="customers' own CPU", unit="%", less=True),
        Measure(name="seats unsold", must=0, less=True),
        Measure(name="seats sold twice", flaw=True),
    ),
    ready=_ready,
)
