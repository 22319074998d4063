"""Look-ups for operators on large tables: the index that answers each, and how indexes are built beside traffic."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from uuid import UUID

import psycopg
import pytest

from booking_core.domain.identity import new_ticket_reference, slot_of_event
from booking_core.domain.lifecycle import Status
from booking_core.ports import BookingSelection, Page, SeatPlace
from booking_postgres.late_indexes import LATE_INDEXES, SMALL
from booking_postgres.reads.operators import PostgresOperatorReads
from tests.support.postgres.stage import Stage, until

STORED: Final = 12_000
EVENTS: Final = [UUID(f"00000000-0000-4000-8000-00000000000{n}") for n in range(3)]
EVENT: Final = EVENTS[1]
_STORE: Final = (
    "SET session_replication_role = replica",
    """
    CREATE TABLE stored AS
    SELECT n, (%(slots)s::smallint[])[n %% 3 + 1] AS slot, (%(events)s::uuid[])[n %% 3 + 1] AS event_id,
        gen_random_uuid() AS booking_id, gen_random_uuid() AS seat_id
    FROM generate_series(1, %(stored)s) n
    """,
    """
    INSERT INTO booking.events (slot, event_id, name, starts_at, sale_status, currency, ages, complete, refreshed_at)
    SELECT DISTINCT slot, event_id, 'event', now() + interval '9 days', 'ON_SALE', 'USD', false, true, now() FROM stored
    """,
    """
    INSERT INTO booking.seats (slot, event_id, seat_id, row_name, number, price)
    SELECT slot, event_id, seat_id, 'R' || n / 100, n %% 100, 75 FROM stored
    """,
    """
    INSERT INTO booking.bookings (slot, booking_id, event_id, user_id, status, total, currency, created_at, expires_at,
        deadline, correlation_id, revision, sequence, cancelled_at, cancellation_reason)
    SELECT slot, booking_id, event_id, 'user ' || n / 2, 'CANCELLED', 75, 'USD', now() - interval '1 day', now(), NULL,
        'c ' || n, 1, 1, now(), 'USER_CANCELLED' FROM stored
    """,
    """
    INSERT INTO booking.claims (slot, event_id, seat_id, booking_id, row_name, number, price, ended_at)
    SELECT slot, event_id, seat_id, booking_id, 'R' || n / 100, n %% 100, 75, now() FROM stored
    """,
    """
    INSERT INTO booking.payments (slot, booking_id, payment_id, status, recorded_at)
    SELECT slot, booking_id, 'pay ' || n, 'FAILED', now() FROM stored
    """,
    """
    INSERT INTO booking.history (slot, booking_id, number, at, trigger, to_status, actor, actor_id, correlation_id,
        note)
    SELECT slot, booking_id, 1, now(), 'RESERVE', 'PENDING', 'CUSTOMER', 'user', 'c ' || n, '' FROM stored
    """,
    "SET session_replication_role = origin",
)
# The indexes that may answer each look-up; PostgreSQL may combine some.
LOOKUPS: Final[dict[str, tuple[BookingSelection, set[str]]]] = {
    "user": (BookingSelection(user_id="user 7"), {"bookings_of_user"}),
    "seat": (
        BookingSelection(seat=SeatPlace(event_id=EVENT, row="R5", number=8)),
        {"seats_pkey", "one_live_claim", "claims_ended", "bookings_pkey"},
    ),
    "payment": (BookingSelection(payment_id="pay 7"), {"payments_by_id", "bookings_pkey"}),
    "ticket": (BookingSelection(ticket_reference=new_ticket_reference(1)), {"one_booking_per_ticket"}),
    "correlation": (BookingSelection(correlation_id="c 7"), {"history_by_correlation", "bookings_pkey"}),
    "processing": (BookingSelection(status=Status.PROCESSING), {"bookings_on_hold"}),
    "pending": (BookingSelection(status=Status.PENDING), {"bookings_on_hold"}),
    "user and event": (
        BookingSelection(user_id="user 8", event_id=EVENT),
        {"bookings_of_user", "bookings_of_event"},
    ),
    "event and status": (
        BookingSelection(event_id=EVENT, status=Status.PROCESSING),
        {"bookings_on_hold", "bookings_of_event"},
    ),
}


FOUND: Final = dict.fromkeys(LOOKUPS, 0) | {"user": 2, "seat": 1, "payment": 1, "correlation": 1, "user and event": 1}


def store_many(door: psycopg.Connection[Any]) -> None:
    for statement in _STORE:
        values = {"stored": STORED, "events": EVENTS, "slots": [slot_of_event(each) for each in EVENTS]}
        door.execute(statement.encode(), values)


@pytest.fixture
def full(stage: Stage) -> Stage:
    store_many(stage.door)
    stage.door.execute("ANALYZE")
    return stage


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The plan of each statement of the operators' reads, as it is made for its values."""
    seen: list[str] = []
    rows = PostgresOperatorReads._rows

    def explained(reads: PostgresOperatorReads, sql: str, values: dict[str, Any]) -> Any:
        plan = rows(reads, f"EXPLAIN (FORMAT TEXT) {sql}", values)
        seen.append("\n".join(line for (line,) in plan))
        return rows(reads, sql, values)

    monkeypatch.setattr(PostgresOperatorReads, "_rows", explained)
    return seen


def tables_scanned(plan: str) -> list[str]:
    return re.findall(r"Seq Scan on (\w+)", plan)


@pytest.mark.parametrize("name", LOOKUPS)
def test_each_look_up_is_answered_by_an_index(full: Stage, plans: list[str], name: str) -> None:
    selection, indexes = LOOKUPS[name]

    found = full.store.operators.find(selection, Page())

    [plan] = plans
    assert found.total == FOUND[name]
    assert tables_scanned(plan) == [], plan
    assert any(index in plan for index in indexes), plan


def test_pages_of_an_event_are_read_along_its_index(full: Stage, plans: list[str]) -> None:
    selection = BookingSelection(event_id=EVENT)
    [last] = full.store.operators.find(BookingSelection(user_id="user 7"), Page(limit=1)).items
    plans.clear()

    full.store.operators.following(selection, last, 100)

    [plan] = plans
    assert tables_scanned(plan) == [], plan
    assert "bookings_of_event" in plan, plan


def test_all_bookings_are_read_along_the_primary_key(full: Stage, plans: list[str]) -> None:
    first = full.store.operators.following(BookingSelection(), None, 50)
    full.store.operators.following(BookingSelection(), first[-1], 50)

    assert all(tables_scanned(plan) == [] and "bookings_pkey" in plan for plan in plans), plans


def drop_indexes(stage: Stage) -> None:
    for index in LATE_INDEXES:
        stage.door.execute(f"DROP INDEX booking.{index.name}".encode())


def valid_indexes(stage: Stage) -> set[str]:
    rows = stage.door.execute("SELECT indexrelid::regclass::text FROM pg_index WHERE indisvalid").fetchall()
    return {name.rpartition(".")[2] for (name,) in rows}


EVERY: Final = {index.name for index in LATE_INDEXES}


def test_a_missing_index_is_built_while_a_seat_is_reserved(full: Stage) -> None:
    drop_indexes(full)
    with ThreadPoolExecutor() as pool, full.outsider() as outsider:
        # A reservation in flight: CONCURRENTLY waits for it, and keeps no other one out.
        outsider.execute("LOCK TABLE booking.bookings IN ROW EXCLUSIVE MODE")
        build = pool.submit(full.store.upkeep.migrate)
        until(lambda: is_building(full), "the build waits for the reservation in flight")
        made = full.fixture.reserve(0)
        outsider.rollback()
        assert build.result(60) == []

    assert full.store.reads.booking(made.booking_id) is not None
    assert valid_indexes(full) >= EVERY


def is_building(stage: Stage) -> bool:
    [found] = stage.door.execute("SELECT count(*) FROM pg_stat_progress_create_index").fetchall()
    return bool(found[0])


def test_an_index_that_was_left_invalid_is_built_anew(full: Stage) -> None:
    full.door.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'booking.payments_by_id'::regclass")
    assert "payments_by_id" not in valid_indexes(full)

    full.store.upkeep.migrate()

    assert valid_indexes(full) >= EVERY


def test_migrations_at_once_build_each_index_once(full: Stage) -> None:
    drop_indexes(full)
    with ThreadPoolExecutor() as pool:
        builds = [pool.submit(full.store.upkeep.migrate) for _ in range(3)]
        assert [build.result(60) for build in builds] == [[]] * 3

    assert valid_indexes(full) >= EVERY


@pytest.fixture
def before_operators(full: Stage) -> Stage:
    """A large database at the revision before."""
    drop_indexes(full)
    full.door.execute("UPDATE booking.schema_version SET version_num = '0007'")
    return full


def test_large_tables_get_their_indexes_after_the_migration(before_operators: Stage) -> None:
    assert STORED > SMALL
    assert "0008" in before_operators.store.upkeep.migrate()
    assert valid_indexes(before_operators) >= EVERY


def test_a_schema_without_these_indexes_is_current(stage: Stage) -> None:
    drop_indexes(stage)

    assert stage.store.upkeep.health().is_ready
    made = stage.fixture.reserve(0)
    assert stage.store.operators.find(BookingSelection(event_id=made.event_id), Page()).total == 1
