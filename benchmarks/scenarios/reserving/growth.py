"""What a full database costs: reservations, lists and the sweep with 10,000 bookings stored, and with 2,000,000.

The larger one is filled without indexes, which are built afterwards: some minutes. `--large` has 10,000,000. A cost is
time, so that it is the smaller database's rate over the larger one's; the CPU of a reservation, of the service and of
PostgreSQL together, stands beside it, because it depends less on what else the machine does.
"""

import itertools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.environment import programs, seeding
from benchmarks.environment.databases import checkpoint, rate_of
from benchmarks.environment.filling import without_indexes
from benchmarks.environment.ground import Ground, request_line
from benchmarks.errors import BenchmarkFailed
from benchmarks.load import reserving, wrk
from benchmarks.measuring.scenario import Figures, Measure, Run, Scale, Scenario

_NAME: Final = "growth"
_SEATS: Final = 2000
_AT_A_TIME: Final = 50_000
_OF_EACH: Final = 10
_READERS: Final = 250
_SIZES: Final = ("small", "large")
_PENDING_OF_EACH: Final = 3
_RATES: Final = ("reservations", "lists", "sweep")
_CPU: Final = "CPU of a reservation"


@contextmanager
def _ready(ground: Ground, scale: Scale) -> Iterator[Run]:
    wrk.path()
    large = 10_000_000 if scale.large else scale.of(2_000_000, 100_000)
    with ExitStack() as stack:
        urls = {name: stack.enter_context(ground.migrated(f"{_NAME}_{name}")) for name in _SIZES}
        _fill(urls["small"], 10_000)
        _fill(urls["large"], large)
        lists = (
            request_line(ground.tokens.sign(f"bench0-{number}"), "GET", "/api/v1/bookings/my?limit=10")
            for number in range(1, _READERS + 1)
        )
        yield partial(_run, ground, scale, urls, ground.file("lists", "".join(lists)), itertools.count())


def _fill(url: str, bookings: int) -> None:
    """So many CONFIRMED bookings, ten of each customer."""
    with without_indexes(url):
        for chunk, first in enumerate(range(0, bookings, _AT_A_TIME)):
            number = min(_AT_A_TIME, bookings - first)
            events = seeding.put_events(url, number=number * seeding.SEATS_OF_A_BOOKING // _SEATS, seats=_SEATS)
            kind = seeding.Kind(confirmed=True, users=f"bench{chunk}", of_each_user=_OF_EACH)
            seeding.put_bookings(url, events, kind)
    seeding.settle(url)


def _run(ground: Ground, scale: Scale, urls: dict[str, str], lists: Path, numbers: Iterator[int]) -> Figures:
    number = next(numbers)
    figures: dict[str, float] = {}
    # Turn about: what else the machine does should not always meet the same one.
    for size in _SIZES if number % 2 == 0 else reversed(_SIZES):
        taken = _taken(ground, scale, urls[size], lists, number)
        figures |= {f"{what}, {size}": figure for what, figure in taken.items()}
    for what in _RATES:
        figures[f"cost of {what}"] = figures[f"{what}, small"] / figures[f"{what}, large"]
    figures[f"cost in {_CPU}"] = figures[f"{_CPU}, large"] / figures[f"{_CPU}, small"]
    return figures


def _taken(ground: Ground, scale: Scale, url: str, lists: Path, number: int) -> dict[str, float]:
    """Rates a second, and the CPU of a reservation. The database is not a copy: each run takes other seats."""
    wanted = scale.seconds * reserving.MOST_PER_SECOND
    # A customer may have three bookings open, so three runs can be made with the same ones.
    first = number // _PENDING_OF_EACH * (wanted + _SEATS)
    requests = reserving.requests_file(ground, "growth", reserving.free_events(url, wanted), first_customer=first)
    overdue = seeding.put_events(
        url, number=scale.of(20_000, 5000) * seeding.SEATS_OF_A_BOOKING // _SEATS, seats=_SEATS
    )
    kind = seeding.Kind(minutes_left=-10, users=f"late{number}")
    seeding.put_bookings(url, overdue, kind)
    checkpoint(url)
    programs.booking(url, "expire")
    swept = rate_of(
        url,
        "SELECT at FROM booking.history WHERE trigger = 'TIME' AND booking_id IN"
        f" (SELECT booking_id FROM booking.bookings WHERE user_id LIKE 'late{number}-%%')",
    )
    checkpoint(url)
    with ground.serving(url) as service:
        made = reserving.reserve(service, requests, connections=scale.connections, seconds=scale.seconds)
        seen = wrk.load(service.address, lists, connections=scale.connections, seconds=scale.seconds, again=True)
    if made.errors or seen.other:
        raise BenchmarkFailed(f"not every request was answered as it should be: {made}, {seen}")
    return {
        "reservations": made.per_second,
        "lists": seen.ok / seen.seconds,
        "sweep": swept,
        _CPU: made.service_us + made.postgres_us,
    }


def _measures() -> Iterator[Measure]:
    for what, must, aim in (("reservations", 1.2, 1.1), ("lists", None, None), ("sweep", None, None)):
        for size in _SIZES:
            yield Measure(name=f"{what}, {size}", unit="/s")
        yield Measure(name=f"cost of {what}", must=must, aim=aim, less=True)
    for size in _SIZES:
        yield Measure(name=f"{_CPU}, {size}", unit="µs", less=True)
    yield Measure(name=f"cost in {_CPU}", must=1.2, aim=1.1, less=True)


SCENARIO: Final = Scenario(
    name=_NAME,
    what="reservations, lists and the sweep with 10,000 bookings stored, and with 2,000,000 (--large: 10,000,000)",
    measures=tuple(_measures()),
    ready=_ready,
)
