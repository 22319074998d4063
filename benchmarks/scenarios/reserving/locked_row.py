"""A hot seat's row locked from outside for 2 s, while 64 connections want that seat and others reserve other seats.

Whoever waits in the database for that row keeps a connection that others need: how long the others wait in those 2 s
stands beside how long they wait on the same service just before.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

import psycopg

from benchmarks.environment import seeding
from benchmarks.environment.ground import Ground
from benchmarks.load import reserving, wrk
from benchmarks.load.side_stream import all_answers, side_stream
from benchmarks.measuring.scenario import Figures, Measure, Run, Scale, Scenario

_NAME: Final = "locked_row"
_LOCKED_SECONDS: Final = 2
_BEFORE_SECONDS: Final = 1
_SECONDS: Final = 5
_RATE: Final = 200
_CUSTOMERS: Final = 1000


@contextmanager
def _ready(ground: Ground, scale: Scale) -> Iterator[Run]:
    wrk.path()
    with ground.migrated(_NAME) as prepared:
        hot = seeding.put_events(prepared, number=1, seats=1)[0]
        calm, side = (
            reserving.requests_file(ground, name, reserving.free_events(prepared, _RATE * _SECONDS))
            for name in ("calm", "side")
        )
        wanted = [reserving.reservation(ground.token(n), hot.event_id, hot.seat_ids) for n in range(_CUSTOMERS)]
        hot_file = ground.file("hot", "".join(wanted))
        yield partial(_run, ground, scale, hot.seat_ids[0], {"calm": calm, "side": side, "hot": hot_file})


def _run(ground: Ground, scale: Scale, seat_id: UUID, files: dict[str, Path]) -> Figures:
    with ground.copy(_NAME) as url, ground.serving(url) as service:
        address = service.address
        calm = all_answers(address, files["calm"], rate=_RATE, seconds=_SECONDS).p95()
        with side_stream(address, files["side"], rate=_RATE, seconds=_SECONDS) as stream:
            time.sleep(_BEFORE_SECONDS)
            with psycopg.connect(url) as outsider:
                outsider.execute("SELECT 1 FROM booking.seats WHERE seat_id = %s FOR UPDATE", [seat_id])
                begin = time.time()
                seen = wrk.load(
                    address, files["hot"], connections=scale.connections, seconds=_LOCKED_SECONDS, again=True
                )
                outsider.rollback()
            answers = stream.answers()
    locked = answers.p95(begin, begin + _LOCKED_SECONDS)
    return {
        "side stream's p95, calm": calm,
        "side stream's p95, locked": locked,
        "side stream refused": answers.refused,
        "told busy": seen.busy / seen.seconds,
        "unanswered": seen.unanswered,
        "sold while locked": seen.created,
    }


SCENARIO: Final = Scenario(
    name=_NAME,
    what="a hot seat's row locked from outside for 2 s, while others reserve other seats",
    measures=(
        Measure(name="side stream's p95, calm", unit="ms", less=True),
        Measure(name="side stream's p95, locked", unit="ms", must=100, aim=50, less=True),
        Measure(name="side stream refused", less=True),
        Measure(name="told busy", unit="/s"),
        Measure(name="unanswered", flaw=True),
        Measure(name="sold while locked", flaw=True),
    ),
    ready=_ready,
)
