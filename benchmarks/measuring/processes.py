"""What a program uses with all its processes, as Linux tells it: CPU and memory.

The CPU of a process that has ended is its parent's, once the parent has waited for it; so it is counted too.
"""

import math
import os
from pathlib import Path
from typing import Final

from attrs import frozen

from benchmarks.environment.databases import ask
from benchmarks.errors import BenchmarkFailed

NOT_AVAILABLE: Final = math.nan
"""A figure that cannot be taken here."""

_PROC: Final = Path("/proc")
# Fields of /proc/…/stat behind the name: the parent, then user and system time, own and of children waited for.
_PARENT: Final = 1
_TIMES: Final = slice(11, 15)


@frozen(kw_only=True)
class Memory:
    """MB. `resident` counts what processes share once for each of them; `proportional` counts it once in all."""

    resident: float
    proportional: float


@frozen
class _Process:
    parent: int
    ticks: int


def cpu_is_measured() -> bool:
    """Whether this system tells how much CPU a process has used: Linux alone does."""
    return (_PROC / "self" / "stat").is_file()


def cpu_seconds(pid: int) -> float:
    """User and system time of that process and of all that it has started, ended ones included.

    NOT_AVAILABLE on other systems than Linux. The resolution is 10 ms for each process.
    """
    if not cpu_is_measured():
        return NOT_AVAILABLE
    processes = _processes()
    return sum(processes[each].ticks for each in _family(pid, processes)) / os.sysconf("SC_CLK_TCK")


def postmaster_of(url: str) -> int:
    """The first process of the PostgreSQL on this machine, the parent of all others; 0 where CPU is not measured."""
    if not cpu_is_measured():
        return 0
    checkpointer = ask(url, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'")[0]
    return _processes()[checkpointer].parent


def memory_of(pid: int) -> Memory:
    """Of that process and all that it has started, and they. BenchmarkFailed where it can't be read."""
    try:
        sums = [_kilobytes(each) for each in _family(pid, _processes())]
    except OSError as error:
        raise BenchmarkFailed(f"this system does not tell how much memory a process has: {error}") from error
    return Memory(
        resident=sum(each["Rss:"] for each in sums) / 1024, proportional=sum(each["Pss:"] for each in sums) / 1024
    )


def _kilobytes(pid: int) -> dict[str, int]:
    lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()[1:]
    return {name: int(number) for name, number, *_ in map(str.split, lines)}


def _processes() -> dict[int, _Process]:
    """All that run now, by pid. One that ends meanwhile may be missing."""
    found = {}
    for directory in _PROC.iterdir():
        if directory.name.isdigit():
            try:
                # The name in parentheses may contain anything.
                fields = (directory / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            found[int(directory.name)] = _Process(int(fields[_PARENT]), sum(map(int, fields[_TIMES])))
    return found


def _family(pid: int, processes: dict[int, _Process]) -> list[int]:
    children: dict[int, list[int]] = {}
    for number, process in processes.items():
        children.setdefault(process.parent, []).append(number)
    family = [pid]
    for each in family:
        family += children.get(each, [])
    return family
