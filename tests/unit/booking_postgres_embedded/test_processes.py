"""Whether the process in `postmaster.pid` is a server of the directory, with a /proc made by the test."""

from pathlib import Path

import pytest

from booking_postgres_embedded.processes import PidFile, parse_pid_file, read_pid_file, serves, stop_leftover

READY = "3072\n/srv/data\n1712346200\n5433\n/srv\n127.0.0.1\n  8826964     65536\nready   \n"


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        (READY, PidFile(pid=3072, status="ready")),
        (READY.replace("ready", "starting"), PidFile(pid=3072, status="starting")),
        ("3072\n/srv/data\n1712346200\n5433\n", PidFile(pid=3072, status="")),
        ("3072\n/srv/data\n", PidFile(pid=3072, status="")),
        ("-3072\n/srv/data\n", PidFile(pid=3072, status="")),
        ("", None),
        ("\n", None),
        ("0\n", None),
        ("postgres\n", None),
    ],
)
def test_a_pid_file_is_read_as_far_as_it_is_written(text: str, meaning: PidFile | None) -> None:
    assert parse_pid_file(text) == meaning


def test_no_pid_file_is_no_server(tmp_path: Path) -> None:
    assert read_pid_file(tmp_path) is None


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory, empty but for being there."""
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def _process(proc: Path, *words: str, cwd: Path | None) -> None:
    (proc / "77").mkdir(parents=True)
    (proc / "77" / "cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in words))
    if cwd is not None:
        (proc / "77" / "cwd").symlink_to(cwd)


def test_a_server_that_works_inside_the_directory_serves_it(tmp_path: Path, data: Path) -> None:
    _process(tmp_path / "proc", "/usr/bin/postgres", "-D", "/its/former/name", cwd=data)
    assert serves(77, data, proc=tmp_path / "proc")


def test_a_server_of_another_directory_does_not(tmp_path: Path, data: Path) -> None:
    _process(tmp_path / "proc", "/usr/bin/postgres", "-D", str(data), cwd=tmp_path)
    assert not serves(77, data, proc=tmp_path / "proc")


def test_another_program_in_the_directory_does_not(tmp_path: Path, data: Path) -> None:
    _process(tmp_path / "proc", "/bin/bash", "-D", str(data), cwd=data)
    assert not serves(77, data, proc=tmp_path / "proc")


@pytest.mark.parametrize(("directory", "answer"), [("data", True), ("data2", False)])
def test_command_line_decides_where_the_working_directory_is_hidden(
    tmp_path: Path, data: Path, directory: str, answer: bool
) -> None:
    _process(tmp_path / "proc", "postgres", "-D", str(tmp_path / directory), cwd=None)
    assert serves(77, data, proc=tmp_path / "proc") is answer


def test_a_zombie_and_a_missing_process_serve_nothing(tmp_path: Path, data: Path) -> None:
    _process(tmp_path / "proc", cwd=None)
    assert not serves(77, data, proc=tmp_path / "proc")
    assert not serves(78, data, proc=tmp_path / "proc")


@pytest.mark.parametrize("text", ["", "1\n", "999999999\n"])
def test_a_stale_pid_file_is_removed(data: Path, text: str) -> None:
    (data / "postmaster.pid").write_text(text)
    stop_leftover(data)
    assert list(data.iterdir()) == []
