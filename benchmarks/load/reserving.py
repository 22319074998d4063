"""Reservations of free seats through HTTP: every request another customer and two other seats."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final
from uuid import UUID

from benchmarks.environment import seeding
from benchmarks.environment.databases import ask
from benchmarks.environment.ground import Ground, request_line
from benchmarks.environment.seeding import SeededEvent
from benchmarks.errors import BenchmarkFailed
from benchmarks.load import wrk

MOST_PER_SECOND: Final = 3000
"""So many requests a second are prepared; a service that is faster runs out of them, which is said."""

_SEATS_PER_EVENT: Final = 1000


def free_events(url: str, reservations: int) -> list[SeededEvent]:
    """Events of 1,000 free seats, enough for so many reservations of two seats."""
    return seeding.put_events(url, number=reservations * 2 // _SEATS_PER_EVENT + 1, seats=_SEATS_PER_EVENT)


def requests_file(ground: Ground, name: str, events: Sequence[SeededEvent], *, first_customer: int = 0) -> Path:
    """A reservation for each two seats, each by another customer."""
    pairs = [(event.event_id, pair) for event in events for pair in _pairs(event)]
    lines = [
        reservation(ground.token(number), event_id, pair)
        for number, (event_id, pair) in enumerate(pairs, start=first_customer)
    ]
    return ground.file(name, "".join(lines))


def reservation(token: str, event_id: UUID, seat_ids: Sequence[UUID]) -> str:
    """The line of one request."""
    seats = ",".join(f'"{seat_id}"' for seat_id in seat_ids)
    return request_line(token, "POST", "/api/v1/bookings", f'{{"eventId":"{event_id}","seatIds":[{seats}]}}')


def _pairs(event: SeededEvent) -> Iterator[tuple[UUID, UUID]]:
    return zip(event.seat_ids[::2], event.seat_ids[1::2], strict=True)


def stored(url: str) -> int:
    """How many bookings the database has."""
    return int(ask(url, "SELECT count(*) FROM booking.bookings")[0])


def reserve(address: str, url: str, requests: Path, *, connections: int, seconds: int) -> wrk.Seen:
    """As many reservations as are answered in that time. BenchmarkFailed if one was answered and is not stored."""
    before = stored(url)
    seen = wrk.load(address, requests, connections=connections, seconds=seconds)
    kept = stored(url) - before
    if kept < seen.created:
        raise BenchmarkFailed(f"{seen.created} answers of 201, but only {kept} bookings are stored")
    return seen
