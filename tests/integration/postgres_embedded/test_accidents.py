"""What is left behind when something was killed, and what the next start makes of it."""

import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from booking_postgres_embedded import EmbeddedPostgresError
from booking_postgres_embedded.processes import server_account, spawn
from tests.integration.postgres_embedded.conftest import MakeServer, StartOwner


@contextmanager
def _sees_the_shutdown(connection: psycopg.Connection) -> Iterator[None]:
    """At its end the server has ended this connection in good order, told within a statement that ran before.

    A statement sent to a server that is already gone would be answered with a reset, which tells nothing: the
    notice says that this one is running.
    """
    connection.pgconn.send_query(b"DO $$ BEGIN RAISE NOTICE 'running'; PERFORM pg_sleep(60); END $$")
    readable, _, _ = select.select([connection.pgconn.socket], [], [], 30)
    assert readable, "the statement did not begin"
    yield
    result = connection.pgconn.get_result()
    assert result is not None
    assert result.error_field(psycopg.pq.DiagnosticField.SQLSTATE) == b"57P01", connection.pgconn.get_error_message()
    connection.close()


def test_a_killed_owner_takes_its_server_along_and_the_data_stays(
    data_dir: Path, start_owner: StartOwner, server_at: MakeServer
) -> None:
    owner = start_owner(data_dir)
    with psycopg.connect(owner.said["url"], autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS number")
        with _sees_the_shutdown(connection):
            owner.process.kill()
    with psycopg.connect(server_at(data_dir).start()) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (42,)


def test_a_server_left_behind_with_no_guard_is_stopped_by_the_next_start(
    data_dir: Path, start_owner: StartOwner, server_at: MakeServer
) -> None:
    owner = start_owner(data_dir)
    os.kill(owner.said["guard"], signal.SIGKILL)
    owner.process.kill()
    owner.process.wait(60)
    with psycopg.connect(owner.said["url"], autocommit=True) as left_behind:
        left_behind.execute("CREATE TABLE kept AS SELECT 42 AS number")
        with _sees_the_shutdown(left_behind):
            url = server_at(data_dir).start()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (42,)


def test_a_second_owner_is_refused_with_the_first_ones_pid(
    data_dir: Path, start_owner: StartOwner, server_at: MakeServer
) -> None:
    owner = start_owner(data_dir)
    second = server_at(data_dir)
    with pytest.raises(EmbeddedPostgresError, match=f"already in use by process {owner.process.pid}:"):
        second.start()
    with psycopg.connect(owner.said["url"]) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    owner.process.send_signal(signal.SIGINT)
    owner.process.wait(60)
    second.start()


def test_a_forked_child_that_survives_its_parent_holds_nothing(
    data_dir: Path, start_owner: StartOwner, server_at: MakeServer
) -> None:
    owner = start_owner(data_dir, "fork")
    try:
        with psycopg.connect(owner.said["url"]) as connection, _sees_the_shutdown(connection):
            owner.process.kill()
            owner.process.wait(60)
        server_at(data_dir).start()
    finally:
        os.kill(owner.said["child"], signal.SIGKILL)


def test_the_terminals_interrupt_reaches_the_owner_only(data_dir: Path, start_owner: StartOwner) -> None:
    owner = start_owner(data_dir)
    os.killpg(owner.process.pid, signal.SIGINT)
    said, _ = owner.process.communicate(timeout=60)
    assert said == '"still served"\n'
    assert owner.process.returncode == 0
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(owner.said["url"])


def test_stale_pid_of_another_program_is_ignored_and_the_program_kept(data_dir: Path, server_at: MakeServer) -> None:
    data = data_dir / "postgres" / "data"
    # Of the same user as the server: PostgreSQL itself takes any such program for a running server.
    with spawn(["/bin/cat"], server_account(data), stdin=subprocess.PIPE) as bystander:
        (data / "postmaster.pid").write_text(f"{bystander.pid}\n{data}\n1\n5432\n\n127.0.0.1\n0 0\nready\n")
        server_at(data_dir).start()
        assert bystander.poll() is None


def test_an_empty_pid_file_is_no_obstacle(data_dir: Path, server_at: MakeServer) -> None:
    (data_dir / "postgres" / "data" / "postmaster.pid").touch()
    server_at(data_dir).start()


def test_an_initdb_that_was_killed_half_way_is_done_again(
    directory: Path, start_owner: StartOwner, server_at: MakeServer
) -> None:
    owner = start_owner(directory / "data", wait=False)
    home = directory / "data" / "postgres"
    deadline = time.monotonic() + 30
    while not list(home.glob("init-*/PG_VERSION")):
        assert time.monotonic() < deadline
        assert owner.process.poll() is None
    owner.process.kill()
    owner.process.wait(60)
    assert not (home / "data").exists()
    server_at(directory / "data").start()
    assert not list(home.glob("init-*"))


def test_destroy_removes_the_data_and_nothing_else(data_dir: Path, server_at: MakeServer) -> None:
    (data_dir / "mine.txt").touch()
    server = server_at(data_dir)
    server.start()
    server.destroy()
    assert [path.name for path in data_dir.iterdir()] == ["mine.txt"]
    shutil.rmtree(data_dir)
