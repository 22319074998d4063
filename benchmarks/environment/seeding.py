"""Events, seats and bookings in bulk: consistent rows, as the service itself would have written them one by one."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID, uuid4

import psycopg
from attrs import frozen

from benchmarks.environment.seeding_sql import BOOKINGS, PLAN
from booking_core.domain.identity import slot_of_event

PRICE: Final = Decimal("75.00")
SEATS_OF_A_BOOKING: Final = 2


@frozen
class SeededEvent:
    """An event on sale, a month ahead, and its seats in the order of their numbers."""

    event_id: UUID
    seat_ids: tuple[UUID, ...]


@frozen(kw_only=True)
class Kind:
    """What the bookings are like: PENDING until so many minutes from now (negative: overdue), or CONFIRMED."""

    confirmed: bool = False
    minutes_left: float = 24 * 60
    published: bool = True
    users: str = "bench"
    of_each_user: int = 1


def put_events(url: str, *, number: int, seats: int) -> list[SeededEvent]:
    """So many events with so many free seats each."""
    events = [SeededEvent(uuid4(), tuple(uuid4() for _ in range(seats))) for _ in range(number)]
    now = datetime.now(UTC)
    starts = now + timedelta(days=30)
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        columns = "slot, event_id, name, starts_at, sale_status, currency, ages, complete, refreshed_at"
        with cursor.copy(f"COPY booking.events ({columns}) FROM STDIN".encode()) as copy:
            for event in events:
                slot = slot_of_event(event.event_id)
                copy.write_row((slot, event.event_id, "Bench", starts, "ON_SALE", "USD", False, True, now))
        columns = "slot, event_id, seat_id, row_name, number, price"
        with cursor.copy(f"COPY booking.seats ({columns}) FROM STDIN".encode()) as copy:
            for event in events:
                for place, seat_id in enumerate(event.seat_ids):
                    copy.write_row((slot_of_event(event.event_id), event.event_id, seat_id, "A", place, PRICE))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE booking.events, booking.seats")
    return events


def put_bookings(url: str, events: Sequence[SeededEvent], kind: Kind) -> int:
    """Book all seats of these events, two by two; how many bookings that makes.

    With claims, holds, payments, history and outbox. Users are `bench-1`, `bench-2`, …, each with `of_each_user`.
    `settle` belongs after the last of several calls.
    """
    now = datetime.now(UTC)
    expires = now + timedelta(minutes=kind.minutes_left)
    values = {
        "events": [event.event_id for event in events],
        "created": min(now, expires - timedelta(minutes=10)),
        "expires": expires,
        "status": "CONFIRMED" if kind.confirmed else "PENDING",
        "published": now if kind.published else None,
        "users": kind.users,
        "of_each_user": kind.of_each_user,
    }
    with psycopg.connect(url) as connection:
        # Rows that fit together by how they are made: checking each foreign key would take most of the time.
        connection.execute("SET session_replication_role = replica")
        # Nothing is known yet of tables that are filled here: the planner would take all of it for one row. A merge
        # compares each booking of an event with each of its seats, which is nine tenths of the time.
        connection.execute("SET enable_nestloop = off")
        connection.execute("SET enable_mergejoin = off")
        for statement in PLAN:
            connection.execute(statement, values)
        for statement in BOOKINGS:
            connection.execute(statement, values)
        row = connection.execute("SELECT count(*) FROM seeded").fetchone()
    return row[0] if row else 0


def settle(url: str) -> None:
    """Vacuum, analyse and write out: the database as it would be after some quiet minutes."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")
