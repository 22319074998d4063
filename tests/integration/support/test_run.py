"""A run of the tests ends whatever happens in it: nothing waits without end, and nothing is left behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import kill

ROOT = Path(__file__).parents[3]
SECONDS = 60.0
INTERRUPT = """
import os, signal, subprocess, sys

def test_a_program_can_be_interrupted():
    command = [sys.executable, "-c", "import time; print(flush=True); time.sleep(600)"]
    with subprocess.Popen(command, stdout=-1) as program:
        program.stdout.readline()
        program.send_signal(signal.SIGINT)
        assert program.wait(20) == -signal.SIGINT
"""
THREAD = """
import threading

def test_it_leaves_a_thread():
    threading.Thread(target=threading.Event().wait, args=(60,), name="left-behind", daemon=True).start()
"""
# The one that is left is the child of a child that has ended.
PROCESS = """
import subprocess

def test_it_leaves_a_process():
    subprocess.run(["sh", "-c", "sleep 600 & echo $! >left"], check=True)
"""
SHARED = """
import subprocess, pytest

@pytest.fixture(scope="module")
def server():
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()

@pytest.mark.parametrize("number", [1, 2])
def test_it_may_run_for_all_tests_of_a_file(server, number):
    assert server.poll() is None
"""
HANGING = """
import pytest, time

@pytest.fixture
def stubborn():
    yield
    time.sleep(600)

def test_its_fixture_never_ends(stubborn):
    pass
"""


def pytest_of(directory: Path, test: str, *options: str, ignoring: tuple[signal.Signals, ...] = ()) -> tuple[int, str]:
    """Exit code and output of a run of this one file with the plugins of ours, started with these signals ignored."""
    (directory / "test_one.py").write_text(test)
    (directory / "pytest.ini").write_text("[pytest]\nteardown_timeout = 60\nleak_grace = 0.2\n")
    plugins = ["-p", "tests.support.run", "-p", "tests.support.leaks", "-p", "no:cacheprovider"]
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "TEST_PROCESS_OF")}
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", *plugins, *options, "test_one.py"],
        cwd=directory,
        env=environment | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: [signal.signal(each, signal.SIG_IGN) for each in ignoring],
    )
    try:
        printed, _ = process.communicate(timeout=SECONDS)
    finally:
        kill(process)
    return process.returncode, printed


@pytest.mark.parametrize("parallel", [(), ("-n", "1")], ids=["alone", "worker"])
def test_under_nohup_programs_can_be_interrupted(tmp_path: Path, parallel: tuple[str, ...]) -> None:
    code, printed = pytest_of(tmp_path, INTERRUPT, *parallel, ignoring=(signal.SIGINT, signal.SIGHUP))

    assert code == 0, printed


def test_a_thread_that_outlives_its_test_fails_it(tmp_path: Path) -> None:
    code, printed = pytest_of(tmp_path, THREAD)

    assert code == 1
    assert "threads outlive the test: ['left-behind']" in printed


def test_a_process_that_outlives_its_test_fails_it_and_is_killed(tmp_path: Path) -> None:
    code, printed = pytest_of(tmp_path, PROCESS)

    assert code == 1
    assert "processes outlive the test" in printed
    with pytest.raises(ProcessLookupError):
        Path(f"/proc/{(tmp_path / 'left').read_text().strip()}/environ").read_bytes()


def test_what_a_wider_fixture_starts_may_stay(tmp_path: Path) -> None:
    code, printed = pytest_of(tmp_path, SHARED)

    assert code == 0, printed


def test_a_teardown_that_never_ends_is_cut_off_with_its_stack(tmp_path: Path) -> None:
    code, printed = pytest_of(tmp_path, HANGING, "-o", "teardown_timeout=0.5")

    assert code != 0
    assert "in stubborn" in printed
