"""One event in a PostgreSQL database of its own, and a second door into that database.

Through the door the tests hold locks, look, and let time pass, so that a race is arranged instead of hoped for.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Self
from uuid import UUID

import psycopg
from attrs import define

from booking_core.contracts.store.fixture import StoreFixture
from booking_core.domain.booking import Booking
from booking_postgres.adapter import create
from booking_postgres.store import PostgresStore

CONNECTIONS: Final = 12
_PATIENCE_SECONDS: Final = 20.0
_WAITING: Final = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'booking-core' AND wait_event_type = 'Lock'
"""
_BLOCKED: Final = f"{_WAITING} AND cardinality(pg_blocking_pids(pid)) > 0"
_AGE: Final = (
    "UPDATE booking.bookings SET created_at = created_at - %(by)s::interval,"
    " expires_at = expires_at - %(by)s::interval, deadline = deadline - %(by)s::interval,"
    " processing_started_at = processing_started_at - %(by)s::interval",
    "UPDATE booking.claims SET held_until = held_until - %(by)s::interval WHERE ended_at IS NULL",
    "UPDATE booking.holds SET deadline = deadline - %(by)s::interval",
    "UPDATE booking.idempotency_keys SET created_at = created_at - %(by)s::interval",
)


def open_store(url: str, connections: int = CONNECTIONS) -> PostgresStore:
    """A store over the database at `url`, as the entry point makes it."""
    return create({"BOOKING_DATABASE_URL": url, "BOOKING_DB_CONNECTIONS": str(connections)})


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait until it holds; fail after a while."""
    give_up_at = time.monotonic() + _PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < give_up_at, f"waited in vain until {what}"
        time.sleep(0.005)


@define(eq=False)
class Stage:
    """The store under test, an event with seats in it, and `door`: a connection beside the store's, committing at once.

    Tests name a seat by its place; the seats are sorted by id.
    """

    url: str
    store: PostgresStore
    fixture: StoreFixture
    door: psycopg.Connection[Any]
    on_event_loop: bool = False

    @classmethod
    @contextmanager
    def at(
        cls, url: str, *, seats: int = 12, connections: int = CONNECTIONS, on_event_loop: bool = False
    ) -> Iterator[Self]:
        """The stage in a migrated database."""
        store = open_store(url, connections)
        with psycopg.connect(url, autocommit=True) as door:
            try:
                stage = cls(url, store, None, door, on_event_loop)  # type: ignore[arg-type]  # it is set in the next line
                stage.set_up(seats=seats)
                yield stage
                stage.store.close()  # which may be another one by now
            finally:
                store.close()

    def set_up(self, *, seats: int = 12, days: float = 30) -> StoreFixture:
        """Another event, which is the one from now on."""
        self.fixture = StoreFixture.of(self, seats=seats, days=days)  # type: ignore[arg-type]  # it needs no more than `store`
        return self.fixture

    def ask(self, query: str, values: Any = None) -> Any:
        """The first value of the first row."""
        row = self.door.execute(query, values).fetchone()
        return None if row is None else row[0]

    def age(self, seconds: float) -> None:
        """Let so much time pass for every booking, hold and key."""
        for statement in _AGE:
            self.door.execute(statement, {"by": f"{seconds} seconds"})

    @contextmanager
    def outsider(self) -> Iterator[psycopg.Connection[Any]]:
        """A connection in a transaction of its own, rolled back at the end unless it was committed."""
        with psycopg.connect(self.url, application_name="outsider") as connection:
            try:
                yield connection
            finally:
                connection.rollback()

    @contextmanager
    def locked_seats(self, *places: int) -> Iterator[psycopg.Connection[Any]]:
        """The rows of these seats are locked by another session until the block ends or it commits."""
        with self.outsider() as outsider:
            for seat_id in self.fixture.ids(*places):
                outsider.execute("SELECT 1 FROM booking.seats WHERE seat_id = %s FOR UPDATE", [seat_id])
            yield outsider

    @contextmanager
    def locked_booking(self, booking: Booking) -> Iterator[psycopg.Connection[Any]]:
        """The booking's row is locked by another session until the block ends or it commits."""
        with self.outsider() as outsider:
            query = "SELECT 1 FROM booking.bookings WHERE booking_id = %s FOR UPDATE"
            outsider.execute(query, [booking.booking_id])
            yield outsider

    def await_waiting(self, sessions: int = 1) -> None:
        """Return once so many of the store's sessions wait for a lock."""
        until(lambda: self.ask(_WAITING) >= sessions, f"{sessions} sessions wait for a lock")

    def await_blocked(self, sessions: int) -> None:
        """Return once so many of the store's sessions wait for a lock that another session has now."""
        until(lambda: self.ask(_BLOCKED) >= sessions, f"{sessions} sessions are blocked")

    def sleep_until(self, moment: Any) -> None:
        """Return once the database's clock is past that moment."""
        until(lambda: self.ask("SELECT clock_timestamp() > %s", [moment]), f"it is {moment}")

    def deadlocks(self) -> int:
        """How many PostgreSQL has counted in this database. Ends the store's connections: then they have reported."""
        self.store.close()
        until(lambda: self.sessions() == 0, "the store's sessions are gone")
        return int(self.ask("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"))

    def sessions(self) -> int:
        """How many connections the store has open."""
        return int(
            self.ask(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND application_name = 'booking-core'"
            )
        )

    def event_types(self, booking_id: UUID) -> list[str]:
        """What was said of this booking, in order."""
        query = "SELECT event_type FROM booking.outbox WHERE key = %s ORDER BY sequence"
        return [row[0] for row in self.door.execute(query, [booking_id])]

    def triggers(self, booking_id: UUID) -> list[str]:
        """What happened to this booking, in order."""
        query = "SELECT trigger FROM booking.history WHERE booking_id = %s ORDER BY number"
        return [row[0] for row in self.door.execute(query, [booking_id])]

    def rewrite_function(self, *changes: Sequence[str], name: str = "lock_and_load_2") -> None:
        """Put a variant of the function into this database: each (old, new) replaces exactly one place."""
        source = self.ask("SELECT pg_get_functiondef(('booking.' || %s)::regproc)", [name])
        for old, new in changes:
            assert source.count(old) == 1, f"{source.count(old)} × {old!r} in the function"
            source = source.replace(old, new)
        self.door.execute(source)

    def check_books(self) -> None:
        """Fail if the tables contradict each other: claims, holds, history, events and totals of every booking."""
        for query in _CONTRADICTIONS:
            assert self.door.execute(query).fetchall() == [], query


_CONTRADICTIONS: Final = (
    # a booking owns its seats exactly while it lives
    """SELECT b.booking_id FROM booking.bookings b LEFT JOIN booking.claims c USING (slot, booking_id)
       WHERE c.seat_id IS NULL OR (c.ended_at IS NULL) <> (b.status <> 'CANCELLED')
          OR c.held_until IS DISTINCT FROM b.deadline AND c.ended_at IS NULL""",
    # a hold is counted exactly while it is PENDING
    """SELECT booking_id FROM booking.bookings b FULL JOIN booking.holds h USING (booking_id)
       WHERE (b.status IS NOT DISTINCT FROM 'PENDING') <> (h.booking_id IS NOT NULL)
          OR h.deadline <> b.deadline AND b.status = 'PENDING'""",
    # history and events have no gaps and end where the booking is
    """SELECT b.booking_id FROM booking.bookings b WHERE revision <> (
         SELECT count(*) FROM booking.history h WHERE h.booking_id = b.booking_id AND h.number <= b.revision)
       OR sequence <> (
         SELECT count(*) FROM booking.outbox o WHERE o.key = b.booking_id AND o.sequence <= b.sequence)""",
    """SELECT b.booking_id FROM booking.bookings b JOIN booking.claims c USING (slot, booking_id)
       GROUP BY b.slot, b.booking_id HAVING sum(c.price) <> b.total""",
    "SELECT key FROM booking.outbox o WHERE NOT EXISTS (SELECT FROM booking.bookings b WHERE b.booking_id = o.key)"
    " AND event_type <> 'event.cancelled'",
)
