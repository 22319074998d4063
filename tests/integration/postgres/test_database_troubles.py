"""A trouble of the database keeps its name: in errors, in health, in the doctor and in commands."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

from booking_core.contracts.store.fixture import refused
from booking_core.domain.errors import ServiceBusy
from booking_core.ports import Grade, HealthKind, Workload
from booking_postgres.driver.pipeline import Statement
from booking_postgres.driver.troubles import (
    DatabaseReadOnly,
    DatabaseStopping,
    DatabaseTrouble,
    DiskFull,
    OutOfMemory,
    OutOfResources,
    StatementCancelled,
    StorageFailed,
    TooManyConnections,
)
from booking_postgres_embedded import EmbeddedPostgres
from tests.support.postgres.fixtures import database_name
from tests.support.postgres.stage import Stage, open_store
from tests.support.processes import booking

RAISED: list[tuple[str, type[DatabaseTrouble]]] = [
    ("53100", DiskFull),
    ("53200", OutOfMemory),
    ("53300", TooManyConnections),
    ("53400", OutOfResources),
    ("57014", StatementCancelled),
    ("57P01", DatabaseStopping),
    ("58030", StorageFailed),
    ("25006", DatabaseReadOnly),
]


def break_writes(stage: Stage, state: str, table: str = "bookings") -> None:
    """Every new row of the table is refused with this SQLSTATE, as the server itself would."""
    body = f"BEGIN RAISE EXCEPTION 'the words of the server' USING ERRCODE = '{state}'; END"
    function = sql.SQL("CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS {}").format(body)
    stage.door.execute(function)
    stage.door.execute(f"CREATE TRIGGER broken BEFORE INSERT ON booking.{table} EXECUTE FUNCTION broken()")


def mend_writes(stage: Stage) -> None:
    stage.door.execute("DROP FUNCTION broken CASCADE")


@pytest.mark.parametrize(("state", "kind"), RAISED, ids=lambda value: getattr(value, "__name__", value))
def test_it_keeps_its_name(stage: Stage, state: str, kind: type[DatabaseTrouble]) -> None:
    break_writes(stage, state)

    error = refused(ServiceBusy, lambda: stage.fixture.reserve(0))
    assert "the words of the server" in str(error)
    if state != "57P01":  # as with every lost connection, whether the commit was done is not known
        assert type(error) is kind
    health = stage.store.check_writes()
    assert (health.kind, health.problem) == (kind.kind, f"{kind.what}: the words of the server")
    assert stage.store.upkeep.health().is_ready, "reads are answered"
    mend_writes(stage)
    assert stage.store.check_writes().is_ready
    assert stage.fixture.reserve(0).user_id == "ada"


@pytest.mark.parametrize("table", ["events", "seats", "claims", "history", "outbox", "holds"])
def test_the_trial_writes_what_a_reservation_writes_and_leaves_nothing(stage: Stage, table: str) -> None:
    count = f"SELECT count(*) FROM booking.{table}"
    before = stage.ask(count)
    assert stage.store.check_writes().is_ready
    assert stage.ask(count) == before
    break_writes(stage, "53100", table)

    assert stage.store.check_writes().kind is HealthKind.DISK_FULL


def test_the_doctor_and_stats_name_it(stage: Stage) -> None:
    break_writes(stage, "53100")

    findings = {each.check: each for each in stage.store.diagnose(Workload())}
    found = "the disk of the database is full: the words of the server"
    assert findings["schema"].grade is Grade.OK
    assert (findings["writes"].grade, findings["writes"].found) == (Grade.TROUBLE, found)
    done = booking(stage.url, "stats")
    assert done.stderr.startswith(f"error: nothing can be written: {found}: free or add space")
    assert booking(stage.url, "stats", "--check", code=1).stderr.startswith("error: nothing can be written: ")


def test_a_command_that_writes_names_it(stage: Stage) -> None:
    stage.fixture.reserve(0)
    stage.age(700)
    break_writes(stage, "53100", "outbox")

    done = booking(stage.url, "expire", code=1)

    assert done.stderr.startswith(
        "error: DATABASE_DISK_FULL the disk of the database is full: the words of the server;"
    )
    assert len(done.stderr.splitlines()) == 1


def test_a_database_that_became_read_only_and_back(stage: Stage) -> None:
    name = sql.Identifier(database_name(stage.url))
    change = "ALTER DATABASE {} SET default_transaction_read_only TO {}"
    stage.fixture.reserve(0)
    stage.door.execute(sql.SQL(change).format(name, "on"))
    stage.store.close()

    assert isinstance(refused(ServiceBusy, lambda: stage.fixture.reserve(1)), DatabaseReadOnly)
    assert stage.store.check_writes().kind is HealthKind.READ_ONLY
    stage.door.execute(sql.SQL(change).format(name, "off"))
    assert stage.fixture.reserve(1).user_id == "ada", "the pool has new connections already"


def test_a_role_without_a_connection_left(stage: Stage) -> None:
    role = f"narrow_{uuid4().hex}"
    stage.door.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'narrow' CONNECTION LIMIT 0")
    url = make_url(stage.url).set(username=role, password="narrow").render_as_string(hide_password=False)
    store = open_store(url, 1)
    try:
        health = store.upkeep.health()
        first = next(iter(store.diagnose(Workload())))
        done = booking(url, "migrate", code=1)
    finally:
        store.close()
        stage.door.execute(f"DROP ROLE {role}")

    assert health.kind is HealthKind.TOO_MANY_CONNECTIONS
    assert f'too many connections for role "{role}"' in health.problem
    assert (first.check, first.found) == ("database", health.problem)
    assert done.stderr == f"error: {health}\n"


def test_a_session_that_an_operator_ends_is_named(stage: Stage) -> None:
    with stage.store.unit_of_work() as uow:
        uow.bookings.lock_seats(stage.fixture.request(0))
        ended = Statement("SELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(5)", {})
        error = refused(ServiceBusy, lambda: uow.transaction.run([ended]))

    assert isinstance(error, DatabaseStopping)
    assert "terminating connection due to administrator command" in str(error)


def test_a_timeout_of_the_server_is_no_lock(stage: Stage) -> None:
    with stage.store.unit_of_work() as uow:
        uow.bookings.lock_seats(stage.fixture.request(0))
        uow.transaction.run([Statement("SET LOCAL statement_timeout = '20ms'", {})])
        error = refused(ServiceBusy, lambda: uow.transaction.run([Statement("SELECT pg_sleep(5)", {})]))

    assert isinstance(error, StatementCancelled)
    assert "canceling statement due to statement timeout" in str(error)


@contextmanager
def small_disk(owner: int) -> Iterator[Path]:
    """A file system of 40 MB, which the server's account owns."""
    directory = Path("/tmp") / f"booking-disk-{uuid4().hex}"  # which the server's account can reach
    directory.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "booking", directory], capture_output=True)
    if mounted.returncode != 0:
        directory.rmdir()
        pytest.skip("a file system cannot be mounted here")
    try:
        os.chown(directory, owner, -1)
        yield directory
    finally:
        subprocess.run(["umount", directory], check=True)
        directory.rmdir()


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mount") is None, reason="only root mounts a file system")
def test_a_disk_that_is_really_full(
    postgres_server: EmbeddedPostgres, postgres_url: str, postgres_template: str
) -> None:
    owner = (postgres_server.location / "data").stat().st_uid
    space, name = f"space_{uuid4().hex}", f"full_{uuid4().hex}"
    with small_disk(owner) as disk, psycopg.connect(postgres_url, autocommit=True) as door:
        door.execute(f"CREATE TABLESPACE {space} LOCATION '{disk}'")
        try:
            door.execute(f"CREATE DATABASE {name} TEMPLATE {postgres_template} TABLESPACE {space}")
            with Stage.at(postgres_url.replace(f"/{database_name(postgres_url)}?", f"/{name}?")) as stage:
                _fill_and_free(stage, disk / "filler")
        finally:
            door.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            door.execute(f"DROP TABLESPACE {space}")


def _fill_and_free(stage: Stage, filler: Path) -> None:
    stage.set_up(seats=2000)
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(65536))

    error = refused(ServiceBusy, _reserve_all(stage))

    assert isinstance(error, DiskFull)
    assert "could not extend file" in str(error)
    assert stage.store.check_writes().kind is HealthKind.DISK_FULL
    assert stage.store.upkeep.health().is_ready
    filler.unlink()
    assert stage.store.check_writes().is_ready
    stage.check_books()


def _reserve_all(stage: Stage) -> Callable[[], None]:
    def reserve() -> None:
        for place in range(2000):
            stage.fixture.reserve(place, user=f"user-{place}")

    return reserve
