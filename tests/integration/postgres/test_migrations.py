"""The schema: made once however many want it, told apart from older and newer ones, and the same as the tables."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text

from booking_core.contracts.store.fixture import in_parallel
from booking_core.ports import HealthKind
from booking_postgres import schema
from booking_postgres.store import PostgresStore
from tests.support.postgres.fixtures import FreshDatabase
from tests.support.postgres.stage import open_store, until

EVERY_REVISION = ["0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008"]
_MIGRATE = """
import sys
from booking_postgres.adapter import create

store = create({"BOOKING_DATABASE_URL": sys.argv[1]})
sys.stdin.readline()
print(",".join(store.upkeep.migrate()))
store.close()
"""


@pytest.fixture
def empty_url(fresh_database: FreshDatabase) -> str:
    return fresh_database()


@pytest.fixture
def store(empty_url: str) -> Iterator[PostgresStore]:
    """A store over an empty database."""
    store = open_store(empty_url)
    yield store
    store.close()


def set_revision(store: PostgresStore, revision: str) -> None:
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE booking.schema_version SET version_num = :r"), {"r": revision})


def test_the_second_time_there_is_nothing_to_do(store: PostgresStore) -> None:
    assert list(store.upkeep.migrate()) == EVERY_REVISION
    assert list(store.upkeep.migrate()) == []
    assert store.upkeep.health().is_ready


@pytest.mark.parametrize("attempt", range(3))
def test_many_at_once_in_one_process(store: PostgresStore, attempt: int) -> None:
    outcomes = in_parallel([store.upkeep.migrate] * 8)

    assert sorted(map(list, outcomes)) == [[]] * 7 + [EVERY_REVISION]  # type: ignore[arg-type]
    assert store.upkeep.health().is_ready


def test_many_at_once_in_several_processes(empty_url: str, store: PostgresStore) -> None:
    start = partial(
        subprocess.Popen, [sys.executable, "-c", _MIGRATE, empty_url], stdin=-1, stdout=-1, stderr=-1, text=True
    )
    processes = [start() for _ in range(4)]
    answers = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        answers.append(out.strip())

    assert sorted(answers) == ["", "", "", ",".join(EVERY_REVISION)]
    assert store.upkeep.health().is_ready


def test_who_comes_second_waits_for_the_first_and_finds_nothing_to_do(empty_url: str, store: PostgresStore) -> None:
    store.upkeep.migrate()
    set_revision(store, "0001")
    with ThreadPoolExecutor(1) as thread, psycopg.connect(empty_url) as first, psycopg.connect(empty_url) as door:
        first.execute("LOCK TABLE booking.migration_turn IN ACCESS EXCLUSIVE MODE")
        second = thread.submit(store.upkeep.migrate)
        waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'booking.migration_turn'::regclass AND NOT granted"
        until(lambda: door.execute(waiting).fetchone() == (1,), "it waits for its turn")
        first.execute("UPDATE booking.schema_version SET version_num = '0008'")
        first.commit()

        assert list(second.result()) == []


def test_a_migration_that_fails_leaves_nothing(empty_url: str, store: PostgresStore) -> None:
    with psycopg.connect(empty_url, autocommit=True) as door:
        door.execute("CREATE SCHEMA booking")
        door.execute("CREATE TABLE booking.inbox (in_the_way int)")
        with pytest.raises(Exception, match="inbox"):
            store.upkeep.migrate()

        tables = door.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'booking'").fetchall()
        assert tables == [("inbox",)]
        door.execute("DROP TABLE booking.inbox")
    assert list(store.upkeep.migrate()) == EVERY_REVISION


class TestTrouble:
    def test_an_empty_database(self, store: PostgresStore) -> None:
        assert str(store.upkeep.health()) == "the database has no schema, version 0008 is needed: run `booking migrate`"

    def test_an_older_schema(self, store: PostgresStore) -> None:
        store.upkeep.migrate()
        set_revision(store, "0001")

        trouble = str(store.upkeep.health())

        assert trouble == "the database schema has version 0001, version 0008 is needed: run `booking migrate`"

    def test_a_newer_schema_is_none_and_is_left_alone(self, store: PostgresStore) -> None:
        store.upkeep.migrate()
        set_revision(store, "0099")

        assert store.upkeep.health().is_ready
        assert list(store.upkeep.migrate()) == []
        with store.engine.connect() as connection:
            assert schema.revision_of(connection) == "0099"

    def test_a_database_that_is_not_there(self, store: PostgresStore, empty_url: str) -> None:
        for url in (empty_url.replace("/test_", "/missing_"), "postgresql://nobody:x@127.0.0.1:1/none"):
            unreachable = open_store(url, 1)
            health = unreachable.upkeep.health()
            trouble = str(health)
            unreachable.close()

            assert health.kind is HealthKind.UNREACHABLE
            assert trouble.startswith("the database cannot be reached: ")
            assert "\n" not in trouble


class TestWhatTheMigrationsMake:
    def test_each_step_can_be_taken_back_and_taken_again(self, store: PostgresStore) -> None:
        store.upkeep.migrate()
        config: Config = schema.alembic_config()
        with store.engine.begin() as connection:
            config.attributes["connection"] = connection
            command.downgrade(config, "base")
            for revision in EVERY_REVISION:
                command.upgrade(config, revision)
                command.downgrade(config, "-1")
                command.upgrade(config, revision)
                assert schema.revision_of(connection) == revision

        assert store.upkeep.health().is_ready

    def test_down_and_up_again(self, store: PostgresStore) -> None:
        store.upkeep.migrate()
        config: Config = schema.alembic_config()
        with store.engine.begin() as connection:
            config.attributes["connection"] = connection
            command.downgrade(config, "base")
            left = connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'booking'"))
            assert {row[0] for row in left} == {"schema_version", "migration_turn"}
            functions = "SELECT count(*) FROM pg_proc WHERE pronamespace = 'booking'::regnamespace"
            assert connection.execute(text(functions)).scalar() == 0

        assert list(store.upkeep.migrate()) == EVERY_REVISION
