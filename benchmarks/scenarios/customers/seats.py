"""SEATS of BenchBase in spirit: its mix of transactions, on our HTTP API (`benchmarks.load.mix` says what each does).

SEATS is the airline benchmark of OLTP-Bench; flights have 150 seats, one customer takes one seat. Its weights, of 100:

- FindFlights 10: here `find events`, a page of the list of events;
- FindOpenSeats 35: `find seats`, the map of an event's seats;
- NewReservation 20: `reserve`, one seat;
- UpdateReservation 15: `change`; SEATS moves the customer in one transaction, our API cancels and reserves;
- DeleteReservation 10: `cancel`;
- UpdateCustomer 10: left out, for customers are kept by the issuer of the tokens, not here.

Other differences: SEATS measures a database, here each transaction is one or two HTTP requests with a token, and writes
history and events; all seats are free at the start; events are chosen evenly, where SEATS chooses flights by airport.
Figures of other systems that run SEATS can be compared with these in their order of magnitude alone.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from benchmarks.environment import seeding
from benchmarks.environment.databases import ask
from benchmarks.environment.ground import Ground
from benchmarks.environment.programs import running_module
from benchmarks.environment.services import Used
from benchmarks.errors import BenchmarkFailed
from benchmarks.figures import percentile
from benchmarks.measuring.scenario import Figures, Measure, Run, Scale, Scenario

_NAME: Final = "seats"
_WEIGHTS: Final = {"find events": 10, "find seats": 35, "reserve": 20, "change": 15, "cancel": 10}
_SEATS: Final = 150
_MARGIN_SECONDS: Final = 60


@contextmanager
def _ready(ground: Ground, scale: Scale) -> Iterator[Run]:
    with ground.migrated(_NAME) as prepared:
        events = seeding.put_events(prepared, number=scale.of(400, 100), seats=_SEATS)
        seeding.settle(prepared)
        wanted = {
            "events": [str(event.event_id) for event in events],
            "customers": [ground.token(number) for number in range(scale.of(20_000, 5000))],
            "weights": _WEIGHTS,
        }
        yield partial(_run, ground, scale, ground.file(_NAME, json.dumps(wanted)))


def _run(ground: Ground, scale: Scale, wanted: Path) -> Figures:
    with ground.copy(_NAME) as url, ground.serving(url) as service:
        used = service.used()
        arguments = (service.address, str(wanted), str(scale.connections), str(scale.seconds))
        with running_module("benchmarks.load.mix", *arguments) as program:
            said = json.loads(program.output(scale.seconds + _MARGIN_SECONDS))
        used = service.used() - used
        twice = ask(
            url,
            "SELECT count(*) - count(DISTINCT (event_id, seat_id)) FROM booking.claims WHERE ended_at IS NULL",
        )[0]
    return _figures(said, used) | {"seats sold twice": twice}


def _figures(said: dict[str, Any], used: Used) -> dict[str, float]:
    done = {name: counts["done"] for name, counts in said["transactions"].items()}
    if not all(done.values()):
        raise BenchmarkFailed(f"not every transaction was done: {done}")
    number, seconds = sum(done.values()), said["seconds"]
    refused = sum(counts["refused"] for counts in said["transactions"].values())
    figures = {
        "transactions": number / seconds,
        "service CPU": used.service / number * 1e6,
        "PostgreSQL CPU": used.postgres / number * 1e6,
        "refused, seat taken": 100 * refused / (number + refused),
        "busy": said["busy"] / seconds,
        "unanswered": said["unanswered"],
        "customers' own CPU": 100 * said["cpu"] / seconds,
    }
    for name, times in said["took"].items():
        figures |= {name: done[name] / seconds, f"{name}, p95": percentile(times, 95)}
    return figures


SCENARIO: Final = Scenario(
    name=_NAME,
    what="the mix of SEATS (BenchBase) on our API: find events and seats, reserve, change and cancel, 64 connections",
    measures=(
        Measure(name="transactions", unit="/s"),
        *(
            measure
            for name in _WEIGHTS
            for measure in (Measure(name=name, unit="/s"), Measure(name=f"{name}, p95", unit="ms", less=True))
        ),
        Measure(name="service CPU", unit="µs", less=True),
        Measure(name="PostgreSQL CPU", unit="µs", less=True),
        Measure(name="refused, seat taken", unit="%", less=True),
        Measure(name="busy", unit="/s", less=True),
        Measure(name="customers' own CPU", unit="%", less=True),
        Measure(name="unanswered", flaw=True),
        Measure(name="seats sold twice", flaw=True),
    ),
    ready=_ready,
)
