"""Reservations in groups, without HTTP: one process, one thread, one connection, groups of 1 to 32 and the single path.

CPU is that of this process and of the server's process for the connection; it swings less than the rate, which depends
on what else the machine does. Compare the sizes within one run. A third of the users is seen for the first time.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from time import perf_counter, process_time
from typing import Final

from sqlalchemy import text

from benchmarks.environment import seeding
from benchmarks.environment.ground import Ground, user_of
from benchmarks.environment.seeding import SeededEvent
from benchmarks.errors import BenchmarkFailed
from benchmarks.measuring.processes import cpu_seconds
from benchmarks.measuring.scenario import Figures, Measure, Run, Scale, Scenario
from booking_core import Booking, ReservationRequest, Reserve, reserve, reserve_group
from booking_postgres.adapter import create
from booking_postgres.store import PostgresStore

_NAME: Final = "groups"
_SIZES: Final = (1, 2, 4, 8, 16, 32)
_SINGLE: Final = "single"
_KINDS: Final = (_SINGLE, *(f"group of {size}" for size in _SIZES))


@contextmanager
def _ready(ground: Ground, scale: Scale) -> Iterator[Run]:
    number = scale.of(2400, 480)
    with ground.migrated(_NAME) as prepared:
        events = seeding.put_events(prepared, number=len(_KINDS), seats=number * seeding.SEATS_OF_A_BOOKING)
        seeding.settle(prepared)
        yield partial(_run, ground, events)


def _run(ground: Ground, events: list[SeededEvent]) -> Figures:
    figures: dict[str, float] = {}
    with ground.copy(_NAME) as url:
        for kind, size, event in zip(_KINDS, (0, *_SIZES), events, strict=True):
            # One connection for each kind, with plans of its own.
            store = create({"BOOKING_DATABASE_URL": url, "BOOKING_DB_CONNECTIONS": "1"})
            try:
                # A part without a measurement: statements are prepared, and the functions have their plans.
                requests = _requests(event, kind)
                _reserve(store, requests[:64], size)
                figures |= _measured(store, requests[64:], size, kind)
            finally:
                store.close()
    return figures


def _requests(event: SeededEvent, kind: str) -> list[ReservationRequest]:
    pairs = list(zip(event.seat_ids[::2], event.seat_ids[1::2], strict=True))
    users = len(pairs) // 3 + 1
    return [
        ReservationRequest(
            command=Reserve(
                user_id=f"{kind} {user_of(number % users)}",
                event_id=event.event_id,
                seat_ids=pair,
                correlation_id="bench",
            )
        )
        for number, pair in enumerate(pairs)
    ]


def _measured(store: PostgresStore, requests: list[ReservationRequest], size: int, kind: str) -> dict[str, float]:
    server = _server_process(store)
    wall, cpu, of_server = perf_counter(), process_time(), cpu_seconds(server)
    _reserve(store, requests, size)
    wall, cpu = perf_counter() - wall, process_time() - cpu
    return {
        f"{kind}, rate": len(requests) / wall,
        f"{kind}, service CPU": cpu / len(requests) * 1e6,
        f"{kind}, PostgreSQL CPU": (cpu_seconds(server) - of_server) / len(requests) * 1e6,
    }


def _reserve(store: PostgresStore, requests: list[ReservationRequest], size: int) -> None:
    """Reserve in groups of that size; 0: each by itself, on the path of a single reservation."""
    if size == 0:
        for request in requests:
            reserve(request.command, store=store)
        return
    for start in range(0, len(requests), size):
        outcomes = reserve_group(requests[start : start + size], store=store)
        if not all(isinstance(outcome, Booking) for outcome in outcomes):
            raise BenchmarkFailed(f"not every request of a group of free seats was granted: {outcomes}")


def _server_process(store: PostgresStore) -> int:
    """The process that serves the store's only connection."""
    with store.engine.connect() as connection:
        return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())


SCENARIO: Final = Scenario(
    name=_NAME,
    what="reservations in groups of 1 to 32 and singly, without HTTP, in one process",
    measures=tuple(
        measure
        for kind in _KINDS
        for measure in (
            Measure(name=f"{kind}, rate", unit="/s"),
            Measure(name=f"{kind}, service CPU", unit="µs", less=True),
            Measure(name=f"{kind}, PostgreSQL CPU", unit="µs", less=True),
        )
    ),
    ready=_ready,
)
