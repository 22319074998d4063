"""Whatever a server, a database, a role or the environment sets: our sessions and those of callers work the same."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Final
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import create_engine

from booking_core.application import get_booking, list_bookings
from booking_core.application.reserve_group import ReservationRequest
from booking_core.application.reserve_many import reserve_many
from booking_core.contracts.store.fixture import StoreFixture, refused
from booking_core.domain.booking import Booking
from booking_core.domain.errors import ServiceBusy
from booking_core.domain.lifecycle import Status
from booking_core.domain.values import SaleStatus, Seat, TicketedEvent
from booking_core.ports import EventSelection, Grade, HealthKind, Page, Store, Workload
from tests.integration.postgres import bouncer
from tests.support.postgres.fixtures import FreshDatabase, database_name
from tests.support.postgres.stage import Stage, open_store
from tests.support.processes import booking

NAME: Final = "Тоска — Žižkov 東京 ☺"
# Each of the first three has a DateStyle and an encoding of its own, with which the driver once failed, and a share of
# the settings that change what a literal, a result or a name means.
SETTINGS: Final = [
    {
        "DateStyle": "German",
        "client_encoding": "LATIN1",
        "TimeZone": "Asia/Kathmandu",
        "IntervalStyle": "sql_standard",
        "bytea_output": "escape",
        "extra_float_digits": "-15",
        "search_path": "hostile, pg_catalog",
        "default_transaction_isolation": "serializable",
        "lc_numeric": "C",
    },
    {
        "DateStyle": "SQL, DMY",
        "client_encoding": "SQL_ASCII",
        "TimeZone": "<-0330>+3:30",
        "IntervalStyle": "iso_8601",
        "standard_conforming_strings": "off",
        "search_path": "",
        "default_transaction_isolation": "repeatable read",
        "default_transaction_deferrable": "on",
        "plpgsql.extra_errors": "all",
        "lock_timeout": "20ms",
    },
    {
        "DateStyle": "Postgres, MDY",
        "client_encoding": "EUC_JP",
        "transform_null_equals": "on",
        "plpgsql.variable_conflict": "use_column",
        "client_min_messages": "debug1",
        "quote_all_identifiers": "on",
        "row_security": "off",
    },
]
# Without a proxy also these.
MORE: Final = {
    "array_nulls": "off",
    "statement_timeout": "300ms",
    "idle_in_transaction_session_timeout": "20ms",
    "idle_session_timeout": "200ms",
}


def hostile(stage: Stage, settings: Mapping[str, str]) -> None:
    """Give the database these settings; a schema `hostile` holds what a search path could find before ours."""
    stage.door.execute(
        "CREATE SCHEMA hostile; CREATE TABLE hostile.bookings (); CREATE TABLE hostile.schema_version ()"
    )
    function = "CREATE FUNCTION hostile.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS {}"
    stage.door.execute(sql.SQL(function).format("SELECT TIMESTAMPTZ 'epoch'"))
    database = sql.Identifier(database_name(stage.url))
    for name, value in settings.items():
        # A search path is a list, not one quoted name.
        literal = sql.SQL(value) if name == "search_path" and value else sql.Literal(value)
        stage.door.execute(sql.SQL("ALTER DATABASE {} SET {} TO {}").format(database, sql.SQL(name), literal))


def everything(store: Store, user: str) -> None:
    """Every statement that returns or takes a time, an amount, a name or a list."""
    now = store.reads.now()
    event = TicketedEvent(
        event_id=uuid4(),
        name=NAME,
        starts_at=(now + timedelta(days=200)).replace(microsecond=0),
        status=SaleStatus.ON_SALE,
        currency="KWD",
    )
    seats = [Seat(seat_id=uuid4(), row="Ж", number=n, price=Decimal("12.345")) for n in (1, 2, 3)]
    with store.unit_of_work() as uow:
        uow.events.put(event, ages=True, complete=True)
        uow.events.put_seats(event.event_id, seats)
        uow.commit()
    fixture = StoreFixture(store, event, tuple(sorted(seats, key=lambda seat: seat.seat_id)))
    booking = fixture.reserve(0, 1, user=user)
    assert abs(booking.created_at - now) < timedelta(minutes=1)
    read = get_booking(user, booking.booking_id, store=store)
    assert (read.total, read.created_at, read.expires_at) == (booking.total, booking.created_at, booking.expires_at)
    assert fixture.start_payment(booking)
    assert fixture.pay(booking)
    paid = fixture.stored(booking)
    assert [each.recorded_at for each in paid.payments.values()] == [paid.processing_started_at]
    assert fixture.cancel(paid).status is Status.CANCELLED
    requests = [ReservationRequest(command=fixture.command(place, user=user)) for place in (0, 2)]
    assert [type(outcome) for outcome in reserve_many(requests, store=store)] == [Booking, Booking]
    known = store.reads.event(event.event_id)
    assert known is not None
    assert known.event == event
    assert list_bookings(user, None, Page(), store=store).total == 3
    assert store.reads.seats(event.event_id).seats[0].seat.row == "Ж"
    assert any(each.event.name == NAME for each in store.reads.events(Page(limit=100)).items)
    assert len(store.reads.history(booking.booking_id)) == 4
    records = store.outbox.unpublished(100)
    assert all(abs(record.recorded_at - now) < timedelta(minutes=1) for record in records)
    assert store.outbox.mark_published(records) == len(records) > 0
    assert len(store.outbox.stored(EventSelection(since=now - timedelta(hours=1)), None, 100)) >= len(records)
    assert store.reads.statistics().by_status[Status.PENDING] >= 1
    store.reads.cancellation_preview(event.event_id)
    store.upkeep.prune(idempotency_hours=1, retention_days=1, limit=10)
    assert store.upkeep.health().is_ready


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_setting_of_the_database_does_not_reach_us(stage: Stage, settings: dict[str, str]) -> None:
    hostile(stage, settings | MORE)
    stage.store.close()
    stage.store = open_store(stage.url)

    everything(stage.store, "žofie")

    stage.check_books()


@pytest.mark.parametrize(
    "variables",
    [
        {"PGDATESTYLE": "German", "PGTZ": "Asia/Kathmandu", "PGCLIENTENCODING": "LATIN1"},
        {"PGOPTIONS": "-c DateStyle=SQL,DMY -c search_path=hostile -c default_transaction_isolation=serializable"},
    ],
)
def test_a_setting_of_the_environment_does_not_reach_us(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    hostile(stage, {})
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    stage.store.close()
    stage.store = open_store(stage.url)

    everything(stage.store, "žofie")


def test_a_connection_has_what_the_driver_needs(stage: Stage) -> None:
    stage.store.close()
    with stage.store.engine.connect() as connection:
        shown = [connection.exec_driver_sql(f"SHOW {name}").scalar() for name in ("DateStyle", "TimeZone")]
        assert shown == ["ISO, MDY", "UTC"]
        assert connection.exec_driver_sql("SHOW search_path").scalar() == "pg_catalog"
        assert connection.exec_driver_sql("SHOW client_encoding").scalar() == "UTF8"


@pytest.mark.skipif(bouncer.program() is None, reason=bouncer.MISSING)
@pytest.mark.parametrize("settings", SETTINGS)
def test_a_setting_does_not_reach_us_through_a_proxy(stage: Stage, settings: dict[str, str]) -> None:
    hostile(stage, settings)
    stage.store.close()
    with bouncer.bouncer_before(stage.url, pool_size=2) as url:
        stage.store = open_store(url)
        everything(stage.store, "žofie")
        # Two open connections of ours take turns on the proxy's.
        with stage.store.engine.connect():
            everything(stage.store, "grace")
        stage.store.close()

    stage.check_books()


def test_other_clients_of_a_proxy_keep_their_settings(stage: Stage) -> None:
    if bouncer.program() is None:
        pytest.skip(bouncer.MISSING)
    hostile(stage, {"search_path": "hostile, public"})
    stage.store.close()
    with bouncer.bouncer_before(stage.url, pool_size=1) as url:
        stage.store = open_store(url)
        everything(stage.store, "ada")
        with psycopg.connect(url, autocommit=True, prepare_threshold=None) as other:
            shown = [other.execute(f"SHOW {name}").fetchone() for name in ("search_path", "lock_timeout")]
        stage.store.close()

    assert shown == [("hostile, public",), ("0",)]


@pytest.fixture(params=["SQL_ASCII", "LATIN1", "EUC_JP"])
def not_utf8(request: pytest.FixtureRequest, postgres_url: str, fresh_database: FreshDatabase) -> tuple[str, str]:
    """The URL of a database with another encoding, and what is said of it."""
    url = fresh_database()
    with psycopg.connect(postgres_url, autocommit=True) as door:
        name = sql.Identifier(database_name(url))
        door.execute(sql.SQL("DROP DATABASE {}").format(name))
        made = "CREATE DATABASE {} ENCODING {} LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        door.execute(sql.SQL(made).format(name, sql.Literal(request.param)))
    return url, f"the database has the encoding {request.param}, and UTF8 is needed"


def test_a_database_that_is_not_utf8_is_refused(not_utf8: tuple[str, str]) -> None:
    url, problem = not_utf8
    store = open_store(url, 1)

    assert problem in str(refused(ServiceBusy, store.upkeep.migrate))
    health = store.upkeep.health()
    assert (health.kind, health.problem) == (HealthKind.UNSUITABLE, problem)
    first, *others = store.diagnose(Workload())
    assert (first.check, first.grade, first.found, first.advice) == ("database", Grade.TROUBLE, problem, health.remedy)
    assert {each.grade for each in others} == {Grade.SKIPPED}
    store.close()


@pytest.mark.parametrize("not_utf8", ["SQL_ASCII"], indirect=True)
@pytest.mark.parametrize("command", ["migrate", "serve", "worker"])
def test_a_command_refuses_it_in_one_line(not_utf8: tuple[str, str], command: str) -> None:
    url, problem = not_utf8

    done = booking(url, command, code=1)

    assert done.stderr.startswith(f"error: {problem}: create one with ENCODING 'UTF8'")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("encoding", ["LATIN1", "EUC_JP"])  # with SQL_ASCII SQLAlchemy itself fails
def test_a_caller_whose_session_is_not_utf8_is_refused(stage: Stage, encoding: str) -> None:
    engine = create_engine(
        stage.url.replace("postgresql://", "postgresql+psycopg://", 1) + f"&client_encoding={encoding}"
    )
    try:
        with engine.connect() as connection:
            joined = stage.fixture.as_seen_from(stage.store.on(connection))
            for attempt in (partial(joined.reserve, 0), joined.store.reads.now, joined.store.reads.statistics):
                refusal = refused(ServiceBusy, attempt)
                assert f"client_encoding {encoding}, and UTF8 is needed" in str(refusal)
    finally:
        engine.dispose()


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_setting_of_a_callers_session_does_not_reach_us(stage: Stage, settings: dict[str, str]) -> None:
    hostile(stage, settings)
    url = stage.url.replace("postgresql://", "postgresql+psycopg://", 1) + "&client_encoding=utf8"
    names = [name for name in settings if name != "client_encoding"]
    engine = create_engine(url, isolation_level="READ COMMITTED")
    try:
        with engine.connect() as connection:
            before = [connection.exec_driver_sql(f"SHOW {name}").scalar() for name in names]
            connection.rollback()
            everything(stage.store.on(connection), "žofie")
            assert [connection.exec_driver_sql(f"SHOW {name}").scalar() for name in names] == before
            connection.commit()
            assert [connection.exec_driver_sql(f"SHOW {name}").scalar() for name in names] == before
    finally:
        engine.dispose()

    stage.check_books()
