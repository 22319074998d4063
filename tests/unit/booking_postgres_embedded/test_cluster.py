"""Existing data that must not be opened, the URL, and the settings of a server."""

from pathlib import Path

import pytest

from booking_postgres_embedded import EmbeddedPostgres, EmbeddedPostgresError
from booking_postgres_embedded.cluster import ensure_cluster, server_settings, socket_directory
from booking_postgres_embedded.location import Home
from booking_postgres_embedded.ownership import Ownership
from booking_postgres_embedded.processes import server_account
from booking_postgres_embedded.server import connection_url


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """The home of a cluster that PostgreSQL 17 made."""
    found = Home(root=tmp_path, relocated=False)
    found.data.mkdir()
    (found.data / "PG_VERSION").write_text("17\n")
    found.password_file.write_text("secret\n")
    return found


def _ensure(home: Home, major: int) -> str:
    return ensure_cluster(home, Path("/nonexistent"), server_account(home.data), major=major, durable=True)


def test_existing_cluster_is_opened_and_unfinished_data_removed(home: Home) -> None:
    (home.root / "init-abc" / "base").mkdir(parents=True)
    (home.root / "init-abc.password").touch()
    assert _ensure(home, 17) == "secret"
    assert sorted(path.name for path in home.root.iterdir()) == ["data", "password"]


def test_data_of_another_major_version_names_both_and_the_way_out(home: Home) -> None:
    with pytest.raises(EmbeddedPostgresError, match=rf"made by PostgreSQL 17, and this is 18: .*remove {home.root}"):
        _ensure(home, 18)


def test_a_lost_password_is_an_error_with_the_way_out(home: Home) -> None:
    home.password_file.unlink()
    with pytest.raises(EmbeddedPostgresError, match="password is missing"):
        _ensure(home, 17)


def test_the_url_carries_all_that_is_needed() -> None:
    assert connection_url("s3cret", 5433) == "postgresql://booking:s3cret@127.0.0.1:5433/booking?sslmode=disable"
    assert connection_url("s3cret", 5433, "other").endswith(":5433/other?sslmode=disable")


def test_settings_of_the_caller_win_but_not_over_where_the_server_listens() -> None:
    extra = {"max_connections": "7", "listen_addresses": "*", "port": "1"}
    settings = server_settings(Path("/data"), 5433, extra, durable=True)
    assert settings["max_connections"] == "7"
    assert settings["shared_buffers"] == "128MB"
    assert settings["listen_addresses"] == "127.0.0.1"
    assert settings["port"] == "5433"
    assert "fsync" not in settings


def test_a_throw_away_server_only_forgets_power_cuts() -> None:
    settings = server_settings(Path("/data"), 5433, {}, durable=False)
    assert (settings["fsync"], settings["full_page_writes"]) == ("off", "off")
    assert "synchronous_commit" not in settings


@pytest.mark.parametrize(
    ("path", "used"), [("/short way/data", True), ("/" + "x" * 90, False), ("/a,b", False), ('/a"b', False)]
)
def test_a_socket_is_made_only_where_its_path_fits(path: str, used: bool) -> None:
    assert socket_directory(Path(path)) == (path if used else "")


def test_what_is_known_only_after_the_start_is_an_error_before_it(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path)
    for name in ("url", "location", "binaries"):
        with pytest.raises(EmbeddedPostgresError, match=r"call start\(\)"):
            getattr(server, name)
    server.stop()
    assert list(tmp_path.iterdir()) == []


def test_one_lock_has_one_holder_until_it_is_released(tmp_path: Path) -> None:
    first = Ownership(tmp_path / "lock")
    with pytest.raises(EmbeddedPostgresError, match="already in use by process"):
        Ownership(tmp_path / "lock")
    first.release()
    first.release()
    Ownership(tmp_path / "lock").release()
