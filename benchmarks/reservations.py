"""Calm reservations: 64 connections, every request a different user and two different free seats.

Through `booking serve` with signed tokens, everything on: history, outbox, fsync, synchronous commit. The naive
yardstick is taken just before and just after each run; the ratio is to the mean of the two.
"""

import statistics
import tempfile
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg

from benchmarks import ground, naive, wrk
from booking_core.identity import slot_of_event
from booking_service.dev_tokens import DevTokens

_SEATS_PER_EVENT: Final = 1000
_MOST_PER_SECOND: Final = 3000
_SCRIPT: Final = Path(__file__).with_name("reserve.lua")
Say = Callable[[str], None]


def measure(*, runs: int, seconds: int, connections: int, say: Say) -> dict[str, Any]:
    """Every run, and the medians. Raises BenchmarkFailed."""
    wrk.path()
    with tempfile.TemporaryDirectory(prefix="booking-bench-") as directory, ground.postgres() as server:
        tokens = DevTokens(Path(directory), ground.ISSUER, ground.AUDIENCE)
        requests = Path(directory) / "requests"
        say("preparing events, seats and tokens ...")
        with ground.database(server, "prepared") as prepared:
            requests.write_text(_requests(tokens, _prepare(prepared, seconds * _MOST_PER_SECOND)))
            with ground.issuer(tokens) as jwks:
                taken = []
                for number in range(1, runs + 1):
                    before = naive.reservations_per_second(server, seconds)
                    with ground.database(server, "bench", "prepared") as url:
                        run = _run(url, jwks, requests, connections, seconds)
                    after = naive.reservations_per_second(server, seconds)
                    taken.append(_with_ratio(run, before, after))
                    say(f"run {number} of {runs}: {taken[-1]['per_second']:.0f}/s, ratio {taken[-1]['ratio']:.3f}")
    return {"scenario": "reservations", "connections": connections, "seconds": seconds, "runs": taken} | {
        "median": {
            name: statistics.median(run[name] for run in taken)
            for name in ("per_second", "p50_ms", "p95_ms", "p99_ms", "naive_per_second", "ratio", "db_connections")
        }
    }


def _prepare(url: str, reservations: int) -> list[tuple[UUID, list[UUID]]]:
    """A migrated database with enough free seats, and the seats by event."""
    ground.booking("migrate", url)
    events = [(uuid4(), [uuid4() for _ in range(_SEATS_PER_EVENT)]) for _ in range(reservations * 2 // 1000 + 1)]
    now = datetime.now(UTC)
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        columns = "slot, event_id, name, starts_at, sale_status, currency, ages, complete, refreshed_at"
        with cursor.copy(f"COPY booking.events ({columns}) FROM STDIN".encode()) as copy:
            for event_id, _ in events:
                starts = now + timedelta(days=30)
                copy.write_row((slot_of_event(event_id), event_id, "Bench", starts, "ON_SALE", "USD", False, True, now))
        columns = "slot, event_id, seat_id, row_name, number, price"
        with cursor.copy(f"COPY booking.seats ({columns}) FROM STDIN".encode()) as copy:
            for event_id, seats in events:
                for number, seat_id in enumerate(seats):
                    copy.write_row((slot_of_event(event_id), event_id, seat_id, "A", number, Decimal("75.00")))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE booking.events, booking.seats")
    return events


def _requests(tokens: DevTokens, events: list[tuple[UUID, list[UUID]]]) -> str:
    lines = []
    for event_id, seats in events:
        for first, second in zip(seats[::2], seats[1::2], strict=True):
            user = f"auth0|{uuid4().hex}"
            lines.append(f"{tokens.sign(user)} {event_id} {first} {second}\n")
    return "".join(lines)


def _run(url: str, jwks: str, requests: Path, connections: int, seconds: int) -> dict[str, Any]:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
    with ground.service(url, jwks) as address, _Connections(url) as watched:
        seen = wrk.post(address, _SCRIPT, requests, connections=connections, seconds=seconds)
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM booking.bookings").fetchone()
    stored = row[0] if row else 0
    if stored < seen["created"]:
        raise ground.BenchmarkFailed(f"{seen['created']} answers of 201, but only {stored} bookings are stored")
    return {
        "per_second": seen["created"] / seen["seconds"],
        "p50_ms": seen["p50_ms"],
        "p95_ms": seen["p95_ms"],
        "p99_ms": seen["p99_ms"],
        "errors": seen["other"] + seen["socket_errors"] + seen["exhausted"],
        "db_connections": watched.most,
    }


def _with_ratio(run: dict[str, Any], before: float, after: float) -> dict[str, Any]:
    yardstick = (before + after) / 2
    return run | {"naive_per_second": yardstick, "ratio": run["per_second"] / yardstick}


class _Connections:
    """Counts the service's connections in pg_stat_activity while it is used; `most` is the highest count seen."""

    def __init__(self, url: str) -> None:
        self._url, self._done = url, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.most = 0

    def __enter__(self) -> "_Connections":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._done.wait(0.2):
                row = connection.execute(count).fetchone()
                self.most = max(self.most, row[0] if row else 0)
