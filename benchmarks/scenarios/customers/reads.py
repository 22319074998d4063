"""Reads through HTTP with tokens: one booking, a customer's list, the seats of an event with 2,000 of them.

20 CONFIRMED bookings for each of 250 customers; all seats of the events are sold, the dearest case. Reservations are
taken on the same service in the same run, so that one read can be set against one reservation.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import psycopg

from benchmarks.environment import seeding
from benchmarks.environment.ground import Ground, request_line
from benchmarks.environment.seeding import SeededEvent
from benchmarks.errors import BenchmarkFailed
from benchmarks.load import reserving, wrk
from benchmarks.measuring.scenario import Figures, Measure, Run, Scale, Scenario

_NAME: Final = "reads"
_SEATS: Final = 2000
_CUSTOMERS: Final = 250
_OF_EACH: Final = 20
_READS: Final = ("one", "list", "seats")


@contextmanager
def _ready(ground: Ground, scale: Scale) -> Iterator[Run]:
    wrk.path()
    with ground.migrated(_NAME) as prepared:
        halls = _CUSTOMERS * _OF_EACH * seeding.SEATS_OF_A_BOOKING // _SEATS
        events = seeding.put_events(prepared, number=halls, seats=_SEATS)
        seeding.put_bookings(prepared, events, seeding.Kind(confirmed=True, of_each_user=_OF_EACH))
        hall = seeding.put_events(prepared, number=1, seats=_SEATS)[0]
        seeding.put_bookings(prepared, [hall], seeding.Kind(confirmed=True))
        seeding.settle(prepared)
        files = {
            "one": _of_bookings(ground, prepared),
            "list": ground.file("list", "".join(_lists(ground))),
            "seats": ground.file("seats", "".join(_maps(ground, [hall, *events]))),
            "reservations": reserving.requests_file(
                ground, "reads", reserving.free_events(prepared, scale.seconds * reserving.MOST_PER_SECOND)
            ),
        }
        yield partial(_run, ground, scale, files)


def _reader(number: int) -> str:
    return f"bench-{number}"


def _of_bookings(ground: Ground, url: str) -> Path:
    tokens = {user: ground.tokens.sign(user) for user in map(_reader, range(1, _CUSTOMERS + 1))}
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT user_id, booking_id FROM booking.bookings WHERE user_id = ANY(%s) ORDER BY md5(booking_id::text)",
            [list(tokens)],
        )
        lines = [request_line(tokens[user], "GET", f"/api/v1/bookings/{booking_id}") for user, booking_id in found]
    return ground.file("one", "".join(lines))


def _lists(ground: Ground) -> Iterator[str]:
    for number in range(1, _CUSTOMERS + 1):
        yield request_line(ground.tokens.sign(_reader(number)), "GET", "/api/v1/bookings/my?limit=10")


def _maps(ground: Ground, events: Sequence[SeededEvent]) -> Iterator[str]:
    for number in range(_CUSTOMERS):
        for event in events:
            yield request_line(ground.token(number), "GET", f"/api/v1/events/{event.event_id}/seats")


def _run(ground: Ground, scale: Scale, files: dict[str, Path]) -> Figures:
    figures: dict[str, float] = {}
    with ground.copy(_NAME) as url, ground.serving(url) as service:
        address, connections, seconds = service.address, scale.connections, scale.seconds
        for name in _READS:
            seen = wrk.load(address, files[name], connections=connections, seconds=seconds, again=True)
            if seen.ok == 0 or seen.created + seen.conflict + seen.other + seen.unanswered:
                raise BenchmarkFailed(f"reads of {name!r} were answered otherwise than by 200: {seen}")
            p95 = seen.times(200).percentile(95)
            figures |= {name: seen.ok / seen.seconds, f"{name}, p95": p95, f"{name}, refused": seen.busy}
        made = reserving.reserve(service, files["reservations"], connections=connections, seconds=seconds)
    reservations = made.per_second
    refused = sum(figures.pop(f"{name}, refused") for name in _READS)
    return figures | {
        "reservations": reservations,
        "one ÷ reservations": figures["one"] / reservations,
        "refused": refused,
    }


SCENARIO: Final = Scenario(
    name=_NAME,
    what="GET of one booking, of a customer's list and of the seats of a 2,000-seat event, through HTTP with tokens",
    measures=(
        Measure(name="one", unit="/s"),
        Measure(name="one, p95", unit="ms", less=True),
        Measure(name="list", unit="/s"),
        Measure(name="list, p95", unit="ms", less=True),
        Measure(name="seats", unit="/s", must=200, aim=500),
        Measure(name="seats, p95", unit="ms", less=True),
        Measure(name="reservations", unit="/s"),
        Measure(name="one ÷ reservations", must=2, aim=3),
        Measure(name="refused", less=True),
    ),
    ready=_ready,
)
