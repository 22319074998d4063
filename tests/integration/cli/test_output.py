"""Output that cannot be written: exit code 1 and one line; a reader that has enough is told nothing."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.support.processes import environment

FULL = Path("/dev/full")
NO_SPACE = "error: cannot write the output: No space left on device\n"
NOWHERE = "postgresql://nobody@127.0.0.1:1/none"
# Every way of printing: Click's own, tables, lines, JSON, a finding at a time.
ALONE = [["--help"], ["--version"], ["doctor", "--help"], ["completion", "bash"], ["doctor", "--only", "database"]]
WITH_DATABASE = [["migrate"], ["migrate", "--json"], ["stats"], ["stats", "--json"], ["expire"], ["expire", "--json"]]


def run(
    arguments: Sequence[str], stdout: object, url: str = NOWHERE, **how: object
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        [sys.executable, "-m", "booking_cli", *arguments],
        env=environment(url),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        **{"stderr": subprocess.PIPE, **how},
        text=True,
        timeout=60,
    )


@pytest.fixture
def closed_pipe() -> Iterator[int]:
    """The writing end of a pipe whose reader is gone."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("arguments", ALONE, ids=" ".join)
def test_a_full_disk_is_one_line(arguments: list[str]) -> None:
    with FULL.open("w", encoding="utf-8") as full:
        done = run(arguments, full)

    assert (done.returncode, done.stderr) == (1, NO_SPACE)


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")
def test_a_full_disk_is_one_line_for_commands_with_a_database(database_url: str) -> None:
    for arguments in WITH_DATABASE:
        with FULL.open("w", encoding="utf-8") as full:
            done = run(arguments, full, database_url)

        assert (done.returncode, done.stderr) == (1, NO_SPACE), arguments


@pytest.mark.parametrize("arguments", ALONE, ids=" ".join)
def test_a_pipe_without_a_reader_is_one_line(arguments: list[str], closed_pipe: int) -> None:
    done = run(arguments, closed_pipe)

    assert (done.returncode, done.stderr) == (1, "error: cannot write the output: Broken pipe\n")


def test_a_reader_that_has_enough_is_told_nothing() -> None:
    code = (
        "import sys; from booking_cli import main, printing;"
        "main.run = lambda *_: [printing.print_line('x' * 1000) for _ in range(100_000)];"
        "main.main()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == f"{'x' * 1000}\n"
        process.stdout.close()
        assert process.wait(60) == 1
        assert process.stderr.read() == ""


@pytest.mark.parametrize("arguments", [["--version"], ["completion", "bash"]], ids=" ".join)
def test_a_closed_output_is_one_line(arguments: list[str]) -> None:
    done = run(arguments, None, preexec_fn=lambda: os.close(1))

    assert (done.returncode, done.stderr) == (1, "error: cannot write the output: Bad file descriptor\n")


@pytest.mark.parametrize(("arguments", "code"), [(["no-such-command"], 2), (["stats"], 1), (["show", "x"], 2)])
def test_the_exit_code_stays_where_errors_cannot_be_written(arguments: list[str], code: int) -> None:
    with FULL.open("w", encoding="utf-8") as full:
        done = run(arguments, subprocess.PIPE, stderr=full)
    closed = run(arguments, subprocess.PIPE, stderr=None, preexec_fn=lambda: os.close(2))

    assert (done.returncode, closed.returncode) == (code, code)
    assert (done.stdout, closed.stdout) == ("", "")
