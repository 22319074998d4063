"""Where a cluster goes, and that it is found again."""

from pathlib import Path

import pytest

from booking_postgres_embedded import EmbeddedPostgresError, location
from booking_postgres_embedded.location import Home, choose_home, key_of, record_location, shared_directory


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for /var/lib/booking-core."""
    monkeypatch.setattr(location, "SHARED_DIRECTORIES", (tmp_path / "place",))
    return tmp_path / "place"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """What the caller asked for."""
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def _choose(data_dir: Path, *, reachable: bool) -> Home:
    return choose_home(data_dir, reachable=lambda path: reachable and path == data_dir, shared=shared_directory)


def _relocated(data_dir: Path) -> Home:
    home = _choose(data_dir, reachable=False)
    home.root.mkdir()
    record_location(home, data_dir)
    return home


def test_a_reachable_directory_keeps_its_cluster(data_dir: Path, place: Path) -> None:
    home = _choose(data_dir, reachable=True)
    assert home == Home(root=data_dir / "postgres", relocated=False)
    record_location(home, data_dir)
    assert list(data_dir.iterdir()) == []
    assert not place.exists()


def test_an_unreachable_one_gets_a_place_of_its_own(data_dir: Path, place: Path) -> None:
    assert _choose(data_dir, reachable=False) == Home(root=place / key_of(data_dir), relocated=True)
    assert key_of(data_dir) != key_of(data_dir.parent)


def test_a_relocated_cluster_stays_where_it_is(data_dir: Path, place: Path) -> None:
    home = _relocated(data_dir)
    home.data.mkdir()
    assert _choose(data_dir, reachable=True) == home
    moved = data_dir.rename(data_dir.with_name("moved"))
    assert _choose(moved, reachable=True) == home


def test_a_relocated_cluster_that_is_gone_does_not_bind(data_dir: Path, place: Path) -> None:
    _relocated(data_dir)
    assert _choose(data_dir, reachable=True) == Home(root=data_dir / "postgres", relocated=False)


def test_a_note_that_leads_elsewhere_is_not_followed(data_dir: Path, place: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "data").mkdir(parents=True)
    (data_dir / "postgres.location").write_text(f"{tmp_path / 'elsewhere'}\n")
    assert _choose(data_dir, reachable=True).root == data_dir / "postgres"


def test_data_that_can_no_longer_be_reached_is_an_error(data_dir: Path, place: Path) -> None:
    (data_dir / "postgres" / "data").mkdir(parents=True)
    with pytest.raises(EmbeddedPostgresError, match="can no longer get into"):
        _choose(data_dir, reachable=False)


def test_deleted_data_directory_gets_new_data_and_keeps_the_previous(data_dir: Path, place: Path) -> None:
    home = _relocated(data_dir)
    for generation in ("first", "second"):
        home.data.mkdir()
        (home.data / generation).touch()
        record_location(home, data_dir)
        assert (home.data / generation).exists()
        (data_dir / "postgres.location").unlink()
        record_location(home, data_dir)
        assert not home.data.exists()
        assert [path.name for path in (home.root / "data.previous").iterdir()] == [generation]


def test_a_place_that_others_may_write_to_is_not_used(place: Path) -> None:
    place.mkdir()
    place.chmod(0o777)
    with pytest.raises(EmbeddedPostgresError, match="can be made or is ours"):
        shared_directory()


def test_a_place_that_is_a_link_is_not_used(place: Path, tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    place.symlink_to(tmp_path / "target")
    with pytest.raises(EmbeddedPostgresError, match="can be made or is ours"):
        shared_directory()


def test_the_next_place_is_taken_when_one_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(location, "SHARED_DIRECTORIES", (tmp_path / "file" / "core", tmp_path / "core"))
    assert shared_directory() == tmp_path / "core"
    assert (tmp_path / "core").stat().st_mode & 0o777 == 0o755
