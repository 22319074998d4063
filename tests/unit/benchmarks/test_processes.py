"""CPU of a program with all its processes, as the benchmarks measure it."""

import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.measuring import processes
from benchmarks.measuring.processes import cpu_seconds

BUSY = "import sys, time\nwhile time.process_time() < 0.2: pass\n"
WAITS = f"{BUSY}print(flush=True)\nsys.stdin.read()\n"
PARENT = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", {BUSY!r}])
child = subprocess.Popen([sys.executable, "-c", {WAITS!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
print("ready", flush=True)
sys.stdin.read()
child.stdin.close()
child.wait()
"""


@pytest.fixture
def parent() -> Iterator["subprocess.Popen[str]"]:
    """A program with a child that has ended and one that runs; each has used 0.2 s."""
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process


@pytest.mark.skipif(sys.platform != "linux", reason="CPU is measured on Linux alone")
def test_cpu_includes_children_that_run_and_that_have_ended(parent: "subprocess.Popen[str]") -> None:
    assert cpu_seconds(parent.pid) >= 0.38


@pytest.mark.skipif(sys.platform != "linux", reason="CPU is measured on Linux alone")
def test_cpu_of_one_process_is_what_it_has_used() -> None:
    before, used = cpu_seconds(os.getpid()), time.process_time()
    while time.process_time() < used + 0.1:
        pass

    assert cpu_seconds(os.getpid()) - before == pytest.approx(0.1, abs=0.03)


def test_cpu_elsewhere_than_on_linux_is_not_available(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_PROC", Path("/nowhere"))

    assert math.isnan(cpu_seconds(os.getpid()))
