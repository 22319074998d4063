"""Directories for figures: one's own, and those of the dead; never those of the living or of strangers."""

import fcntl
import os
from pathlib import Path

import pytest

from booking_telemetry.metrics_directory import PREFIX, own_directory


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def left_behind(place: Path, name: str, *, with_lock: bool = True) -> Path:
    directory = place / f"{PREFIX}{name}"
    directory.mkdir()
    (directory / "counter_7.db").touch()
    if with_lock:
        (directory / "owner.lock").touch()
    return directory


def test_it_is_gone_afterwards(place: Path) -> None:
    with own_directory() as directory:
        assert directory.parent == place
        assert [each.name for each in directory.iterdir()] == ["owner.lock"]
    assert list(place.iterdir()) == []


def test_what_a_killed_server_left_is_removed(place: Path) -> None:
    dead = left_behind(place, "dead")
    with own_directory():
        assert not dead.exists()


def test_the_directory_of_a_server_that_runs_stays(place: Path) -> None:
    with own_directory() as first, own_directory() as second:
        assert first.exists()
        assert first != second


def test_it_stays_for_as_long_as_a_forked_process_of_the_dead_lives(place: Path) -> None:
    alive = left_behind(place, "alive")
    lock = os.open(alive / "owner.lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    inherited = os.dup(lock)
    os.close(lock)
    with own_directory():
        assert alive.exists()
    os.close(inherited)
    with own_directory():
        assert not alive.exists()


def test_what_is_not_surely_ours_stays(place: Path) -> None:
    without_lock = left_behind(place, "old", with_lock=False)
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "owner.lock").touch()
    (place / f"{PREFIX}link").symlink_to(elsewhere)
    (place / f"{PREFIX}file").touch()
    with own_directory():
        pass
    assert without_lock.exists()
    assert elsewhere.exists()
    assert len(list(place.iterdir())) == 4
