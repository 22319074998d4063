"""Reservations of free seats through HTTP: every request another customer and two other seats.

Every second request has an idempotency key. A customer who is told that the service is busy asks again at once.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from attrs import frozen

from benchmarks.environment import seeding
from benchmarks.environment.databases import ask
from benchmarks.environment.ground import Ground, request_line
from benchmarks.environment.seeding import SeededEvent
from benchmarks.environment.services import Service, Used
from benchmarks.errors import BenchmarkFailed
from benchmarks.load import wrk

MOST_PER_SECOND: Final = 8000
"""So many requests a second are prepared; a service that is faster runs out of them, which is said."""

_SEATS_PER_EVENT: Final = 1000


@frozen(kw_only=True)
class Reserved:
    """What the customers saw, and what their reservations cost."""

    seen: wrk.Seen
    used: Used
    group_size: float
    """Mean number of reservations in a transaction; NOT_AVAILABLE from a service that does not tell."""

    @property
    def per_second(self) -> float:
        """Reservations made a second."""
        return self.seen.created / self.seen.seconds

    @property
    def service_us(self) -> float:
        """Microseconds of the service's CPU for each reservation made: refusals are paid for by those made."""
        return self.used.service / max(1, self.seen.created) * 1e6

    @property
    def postgres_us(self) -> float:
        """Microseconds of PostgreSQL's CPU for each reservation made."""
        return self.used.postgres / max(1, self.seen.created) * 1e6

    @property
    def errors(self) -> int:
        """Requests that were neither served nor refused as busy."""
        seen = self.seen
        return seen.ok + seen.conflict + seen.other + seen.unanswered + seen.exhausted


def free_events(url: str, reservations: int, *, of_seats: int = 2) -> list[SeededEvent]:
    """Events of 1,000 free seats, enough for so many reservations of so many seats."""
    return seeding.put_events(url, number=reservations * of_seats // _SEATS_PER_EVENT + 1, seats=_SEATS_PER_EVENT)


def requests_file(
    ground: Ground,
    name: str,
    events: Sequence[SeededEvent],
    *,
    first_customer: int = 0,
    of_each_customer: int = 1,
    keys: bool = True,
    of_seats: int = 2,
) -> Path:
    """A reservation for each `of_seats` seats, each by another customer; half of them with keys, unless not `keys`.

    With `of_each_customer` the customers come round again, in the same order.
    """
    wanted = [(event.event_id, seats) for event in events for seats in _together(event, of_seats)]
    customers = len(wanted) // of_each_customer
    lines = [
        reservation(
            ground.token(first_customer + number % customers),
            event_id,
            seats,
            key=str(uuid4()) if keys and _is_keyed(number) else "",
        )
        for number, (event_id, seats) in enumerate(wanted)
    ]
    return ground.file(name, "".join(lines))


def reservation(token: str, event_id: UUID, seat_ids: Sequence[UUID], *, key: str = "") -> str:
    """The line of one request."""
    seats = ",".join(f'"{seat_id}"' for seat_id in seat_ids)
    return request_line(token, "POST", "/api/v1/bookings", f'{{"eventId":"{event_id}","seatIds":[{seats}]}}', key)


def stored(url: str) -> int:
    """How many bookings the database has."""
    return int(ask(url, "SELECT count(*) FROM booking.bookings")[0])


def reserve(service: Service, requests: Path, *, connections: int, seconds: int) -> Reserved:
    """As many reservations as are answered in that time. BenchmarkFailed if one was answered and is not stored."""
    url = service.database_url
    before, groups, used = stored(url), _groups(service), service.used()
    seen = wrk.load(service.address, requests, connections=connections, seconds=seconds, retry=True)
    used = service.used() - used
    members, number = (now - then for now, then in zip(_groups(service), groups, strict=True))
    kept = stored(url) - before
    if kept < seen.created:
        raise BenchmarkFailed(f"{seen.created} answers of 201, but only {kept} bookings are stored")
    return Reserved(seen=seen, used=used, group_size=members / number if number else number)


def _together(event: SeededEvent, of_seats: int) -> Iterator[tuple[UUID, ...]]:
    return zip(*(event.seat_ids[place::of_seats] for place in range(of_seats)), strict=True)


def _is_keyed(number: int) -> bool:
    """Half of the customers, and half of those whom each thread of wrk serves: it takes every second line."""
    return number // wrk.THREADS % 2 == 0


def _groups(service: Service) -> tuple[float, float]:
    """Members of all groups, and how many groups there were, since the service started."""
    return service.metric("booking_group_size_sum"), service.metric("booking_group_size_count")
