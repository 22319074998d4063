"""Foreign keys are checked by index, also on a connection whose first booking was written into empty tables.

PostgreSQL plans the check of a foreign key once in a session, at the end of the statement that needs it, and keeps the
plan until the statistics of the table change. For a table of which it knows that it is empty, the cheapest plan reads
the whole table.
"""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import create_engine

from booking_core.contracts.groups.requests import grouped, kinds, request_of
from booking_core.contracts.store.fixture import StoreFixture
from booking_core.domain.booking import Booking
from tests.integration.postgres import bouncer
from tests.support.postgres.stage import Stage, open_store, until

BOOKINGS = 96
_OTHER_SESSIONS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
_READ_IN_WHOLE_TABLES = (
    "SELECT coalesce(sum(seq_tup_read), 0)::int FROM pg_stat_user_tables WHERE schemaname = 'booking'"
)


@pytest.fixture
def stage(database_url: str) -> Iterator[Stage]:
    """Seats enough, the statistics of empty tables, and a store with one connection."""
    with Stage.at(database_url, seats=BOOKINGS, connections=1) as stage:
        for (table,) in stage.door.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'booking'").fetchall():
            stage.door.execute(f"ALTER TABLE booking.{table} SET (autovacuum_enabled = false)".encode())
        stage.door.execute("VACUUM ANALYZE")
        yield stage


def rows_read_in_whole_tables(stage: Stage, work: Callable[[StoreFixture], object]) -> int:
    """What sequential scans have read since the work began."""
    end_sessions(stage)
    before: int = stage.ask(_READ_IN_WHOLE_TABLES)
    work(stage.fixture.as_seen_from(stage.store))
    end_sessions(stage)
    return int(stage.ask(_READ_IN_WHOLE_TABLES)) - before


def end_sessions(stage: Stage) -> None:
    """End the sessions of the work, a pooler's too: they report what they have read when they end."""
    stage.store.close()
    stage.door.execute(f"SELECT pg_terminate_backend(pid) {_OTHER_SESSIONS}".encode())
    until(lambda: stage.ask(f"SELECT count(*) {_OTHER_SESSIONS}") == 0, "the sessions are over")


def reserve_singly(fixture: StoreFixture, places: range = range(BOOKINGS)) -> None:
    for place in places:
        fixture.reserve(place, user=f"user {place}")


def reserve_in_groups(fixture: StoreFixture, places: range = range(BOOKINGS)) -> None:
    for first in places[::8]:
        members = [request_of(fixture, place, user=f"user {place}") for place in range(first, first + 8)]
        assert kinds(grouped(fixture, *members)) == [Booking] * 8


def reserve_singly_then_in_groups(fixture: StoreFixture) -> None:
    reserve_singly(fixture, range(BOOKINGS // 2))
    reserve_in_groups(fixture, range(BOOKINGS // 2, BOOKINGS))


def pay(fixture: StoreFixture) -> None:
    for place in range(BOOKINGS):
        booking = fixture.reserve(place, user=f"user {place}")
        assert fixture.start_payment(booking)
        assert fixture.pay(booking)


EVERY_WORK = pytest.mark.parametrize("work", [reserve_singly, reserve_in_groups, reserve_singly_then_in_groups, pay])


@EVERY_WORK
def test_writing_bookings_reads_no_whole_table(stage: Stage, work: Callable[[StoreFixture], object]) -> None:
    assert rows_read_in_whole_tables(stage, work) == 0


@pytest.mark.skipif(bouncer.program() is None, reason=bouncer.MISSING)
@EVERY_WORK
def test_behind_a_pooler_no_whole_table_is_read(stage: Stage, work: Callable[[StoreFixture], object]) -> None:
    stage.store.close()
    with bouncer.bouncer_before(stage.url, pool_size=1) as url:
        stage.store = open_store(url, 1)
        read = rows_read_in_whole_tables(stage, work)

    assert read == 0


def test_writing_in_the_callers_transactions_reads_no_whole_table(stage: Stage) -> None:
    engine = create_engine(stage.url.replace("postgresql://", "postgresql+psycopg://", 1))

    def reserve_all(fixture: StoreFixture) -> None:
        with engine.connect() as connection:
            joined = fixture.as_seen_from(stage.store.on(connection))
            for place in range(BOOKINGS):
                joined.reserve(place, user=f"user {place}")
                connection.commit()
        engine.dispose()

    assert rows_read_in_whole_tables(stage, reserve_all) == 0
