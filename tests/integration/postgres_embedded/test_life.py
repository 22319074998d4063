"""Start, stop and restart, and the logins that the server accepts."""

import os
import socket
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from booking_postgres_embedded import EmbeddedPostgres, EmbeddedPostgresError
from tests.integration.postgres_embedded.conftest import MakeServer
from tests.support.postgres.fixtures import chosen_binaries


def _ask(url: str, statement: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(statement).fetchone()
    return None if row is None else row[0]


def _change(url: str, statement: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(statement)


def test_a_first_start_makes_the_directory_and_an_empty_database(directory: Path, server_at: MakeServer) -> None:
    server = server_at(directory / "not" / "there yet")
    url = server.start()
    assert _ask(url, "SELECT current_database()") == "booking"
    assert _ask(url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    assert _ask(url, "SELECT current_setting('server_encoding') || current_setting('data_checksums')") == "UTF8on"
    assert server.location == (directory / "not" / "there yet" / "postgres").resolve()
    assert (server.binaries / "initdb").is_file()


def test_data_is_kept_from_one_start_to_the_next(data_dir: Path, server_at: MakeServer) -> None:
    server = server_at(data_dir)
    _change(server.start(), "CREATE TABLE kept AS SELECT 42 AS number")
    server.stop()
    server.stop()
    with pytest.raises(EmbeddedPostgresError, match="not running"):
        _ = server.url
    assert _ask(server_at(data_dir).start(), "SELECT number FROM kept") == 42


def test_a_server_keeps_its_port_unless_another_program_has_it(data_dir: Path, server_at: MakeServer) -> None:
    first = server_at(data_dir)
    url = first.start()
    first.stop()
    again = server_at(data_dir)
    assert again.start() == url
    again.stop()

    with socket.create_server(("127.0.0.1", make_url(url).port or 0)):
        other = server_at(data_dir)
        assert other.start() != url
        assert _ask(other.url, "SELECT 1") == 1


def test_starting_twice_is_starting_once(data_dir: Path, server_at: MakeServer) -> None:
    server = server_at(data_dir)
    url = server.start()
    started = _ask(url, "SELECT pg_postmaster_start_time()")
    assert server.start() == url
    assert _ask(url, "SELECT pg_postmaster_start_time()") == started


def test_a_server_that_was_killed_is_started_again(data_dir: Path, server_at: MakeServer) -> None:
    server = server_at(data_dir)
    _change(server.start(), "CREATE TABLE kept AS SELECT 42 AS number")
    assert server._server is not None
    os.kill(server._server.process.pid, 9)
    server._server.process.wait(60)
    assert _ask(server.start(), "SELECT number FROM kept") == 42


def test_the_with_block_ends_the_server(data_dir: Path, server_at: MakeServer) -> None:
    with server_at(data_dir) as server:
        url = server.url
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)


def test_settings_reach_the_server_and_commits_stay_synchronous(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, durable=False, settings={"work_mem": "7MB"}, binaries=chosen_binaries()) as server:
        assert _ask(server.url, "SHOW work_mem") == "7MB"
        assert _ask(server.url, "SHOW fsync") == "off"
        assert _ask(server.url, "SHOW synchronous_commit") == "on"
    with EmbeddedPostgres(data_dir, binaries=chosen_binaries()) as server:
        assert _ask(server.url, "SHOW fsync") == "on"
        assert _ask(server.url, "SHOW full_page_writes") == "on"


def test_only_loopback_is_served_and_only_with_the_password(data_dir: Path, server_at: MakeServer) -> None:
    server = server_at(data_dir)
    url = server.start()
    assert _ask(url, "SHOW listen_addresses") == "127.0.0.1"
    password = url.split(":")[2].split("@")[0]
    for wrong in (url.replace(password, "guess"), url.replace(f":{password}", "")):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(wrong, passfile="/dev/null")
    assert (server.location / "password").stat().st_mode & 0o777 == 0o600
    assert (server.location / "log").stat().st_mode & 0o777 == 0o600


def test_a_taken_port_is_named(data_dir: Path, server_at: MakeServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EmbeddedPostgresError, match=f"port {port} on 127.0.0.1 is taken"):
            server_at(data_dir, port=port).start()
    assert f":{port}/" in server_at(data_dir, port=port).start()


def test_another_port_is_tried_when_somebody_was_quicker(
    data_dir: Path, server_at: MakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as other:
        free = other.getsockname()[1]
        other.close()
        offered = iter([taken.getsockname()[1], free])
        monkeypatch.setattr("booking_postgres_embedded.cluster._port_of_before", lambda home: next(offered))
        monkeypatch.setattr("booking_postgres_embedded.cluster._free_port", lambda: next(offered))
        assert f":{free}/" in server_at(data_dir).start()


def test_the_servers_own_reason_is_passed_on(data_dir: Path, server_at: MakeServer) -> None:
    server = EmbeddedPostgres(data_dir, settings={"shared_buffers": "lots"}, binaries=chosen_binaries())
    with pytest.raises(EmbeddedPostgresError, match=r"(?s)shared_buffers.*its log is .*log"):
        server.start()
    server_at(data_dir).start()  # the failed one has let go of the directory


def test_unwritable_directory_is_an_error_that_leaves_nothing_behind(data_dir: Path, server_at: MakeServer) -> None:
    obstacle = data_dir / "postgres" / "log.previous"
    obstacle.mkdir()
    failed = server_at(data_dir)
    with pytest.raises(EmbeddedPostgresError, match=r"cannot start PostgreSQL in .*log\.previous"):
        failed.start()
    obstacle.rmdir()
    server_at(data_dir).start()
