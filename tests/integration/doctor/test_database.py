"""Each trouble of the database, made for real."""

import os
import re
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from booking_postgres.schema import newest_revision
from booking_postgres_embedded import EmbeddedPostgres
from booking_service.doctor.components import Component
from tests.integration.doctor.examining import examined, grades
from tests.support.directories import open_directory
from tests.support.postgres.fixtures import FreshDatabase, chosen_binaries, database_name

ALL = ("database", "isolation", "connections", "schema", "writes", "clock")
# The test's server forgets power cuts, and the doctor says so.
WELL = {**dict.fromkeys(ALL, "ok"), "database": "warning"}
NO_WAY_IN = {**dict.fromkeys(ALL, "skipped"), "database": "trouble"}


def of(url: str, **more: str) -> dict[str, str]:
    return {"BOOKING_DATABASE_URL": url, **more}


def as_user(url: str, user: str, password: str) -> str:
    return re.sub(r"//[^@]*@", f"//{user}:{password}@", url)


@pytest.fixture
def low(postgres_url: str, database_url: str) -> Iterator[str]:
    """The URL of the database for a user who may do nothing in it, and has at most five connections."""
    with psycopg.connect(database_url, autocommit=True) as door:
        door.execute("CREATE ROLE low LOGIN PASSWORD 'low-secret' CONNECTION LIMIT 5")
        try:
            yield as_user(database_url, "low", "low-secret")
        finally:
            door.execute("DROP OWNED BY low")
            door.execute("DROP ROLE low")


def test_all_is_well(database_url: str) -> None:
    found = examined(Component.DATABASE, of(database_url))

    assert grades(found) == WELL
    assert found["database"].found.startswith("PostgreSQL ")
    assert f"/{database_name(database_url)}, " in found["database"].found
    assert "fsync, full_page_writes" in found["database"].found
    assert "15 more may be needed" in found["connections"].found
    assert found["schema"].found == f"version {newest_revision()}"


def test_connections_that_the_service_has_already_are_not_needed_again(database_url: str) -> None:
    with ExitStack() as service:
        for _ in range(3):
            service.enter_context(psycopg.connect(database_url, application_name="booking-core"))
        found = examined(Component.DATABASE, of(database_url, BOOKING_DB_CONNECTIONS="9"))

    assert "3 open for us, 9 more may be needed" in found["connections"].found


def test_a_wrong_password(database_url: str) -> None:
    found = examined(Component.DATABASE, of(as_user(database_url, "booking", "guess-secret")))

    assert grades(found) == NO_WAY_IN
    assert 'password authentication failed for user "booking"' in found["database"].found
    assert found["database"].advice == "check user and password in BOOKING_DATABASE_URL"
    assert "guess" not in str(found)


def test_no_such_database(database_url: str) -> None:
    found = examined(Component.DATABASE, of(database_url.replace(database_name(database_url), "elsewhere")))

    assert grades(found) == NO_WAY_IN
    assert 'database "elsewhere" does not exist' in found["database"].found
    assert "create" in found["database"].advice


def test_a_host_that_is_not_there() -> None:
    found = examined(Component.DATABASE, of("postgresql://u:p@no.such.host.invalid/x"))

    assert grades(found) == NO_WAY_IN
    assert "correct the host" in found["database"].advice


def test_no_schema_and_an_old_one(fresh_database: FreshDatabase, database_url: str) -> None:
    none = examined(Component.DATABASE, of(fresh_database()))["schema"]
    with psycopg.connect(database_url, autocommit=True) as door:
        door.execute("UPDATE booking.schema_version SET version_num = '0001'")
        old = examined(Component.DATABASE, of(database_url))["schema"]
        door.execute("UPDATE booking.schema_version SET version_num = '9999'")
        newer = examined(Component.DATABASE, of(database_url))["schema"]

    assert (none.grade.value, old.grade.value, newer.grade.value) == ("trouble", "trouble", "ok")
    assert none.found.startswith("the database has no schema")
    assert old.found.startswith("the database schema has version 0001")
    assert none.advice == old.advice == "run `booking migrate`"
    assert "newer than this program's" in newer.found


def test_a_user_who_may_do_too_little_and_connect_too_seldom(low: str, database_url: str) -> None:
    outside = examined(Component.DATABASE, of(low))
    with psycopg.connect(database_url, autocommit=True) as door:
        door.execute("GRANT USAGE ON SCHEMA booking TO low; GRANT SELECT ON ALL TABLES IN SCHEMA booking TO low")
        reading = examined(Component.DATABASE, of(low))
        door.execute("GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA booking TO low")
        writing = examined(Component.DATABASE, of(low, BOOKING_DB_CONNECTIONS="2"))

    assert grades(outside) == WELL | {"connections": "trouble", "schema": "trouble", "writes": "skipped"}
    assert "5 of our user" in outside["connections"].found
    assert outside["schema"].found.startswith("permission denied for schema booking")
    assert "GRANT USAGE" in outside["schema"].advice
    assert re.search(r"no right to bookings \(DELETE\).* and \d+ more", reading["schema"].found)
    assert grades(writing) == WELL, "five are enough for serve's two and the worker's three"


def test_a_database_that_takes_no_writes(low: str, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as door:
        door.execute("ALTER ROLE low SET default_transaction_read_only = on")

    found = examined(Component.DATABASE, of(low))["database"]

    assert found.grade.value == "trouble"
    assert "read-only for us" in found.found


@pytest.mark.parametrize(("hours", "grade"), [(0, "ok"), (1, "trouble"), (-1, "trouble")])
def test_a_clock_that_is_an_hour_wrong(database_url: str, hours: int, grade: str) -> None:
    found = examined(Component.DATABASE, of(database_url), clock=lambda: datetime.now(UTC) + timedelta(hours=hours))

    assert grades(found) == WELL | {"clock": grade}


def test_a_server_that_is_frozen_and_then_gone() -> None:
    directory = open_directory()
    server = EmbeddedPostgres(directory, durable=False, binaries=chosen_binaries())
    try:
        url = server.start()
        postmaster = int((server.location / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(postmaster, signal.SIGSTOP)
        began = time.monotonic()
        try:
            frozen = examined(Component.DATABASE, of(url))
        finally:
            os.kill(postmaster, signal.SIGCONT)
        seconds = time.monotonic() - began
        server.stop()
        gone = examined(Component.DATABASE, of(url))
    finally:
        server.destroy()
        shutil.rmtree(directory)

    assert grades(frozen) == grades(gone) == NO_WAY_IN
    assert seconds < 8
    assert "Connection refused" in gone["database"].found
    assert "that PostgreSQL runs" in gone["database"].advice
