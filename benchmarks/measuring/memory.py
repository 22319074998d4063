"""Memory of a program with all its processes, as Linux tells it."""

from pathlib import Path
from typing import Final

from attrs import frozen

from benchmarks.errors import BenchmarkFailed

_PROC: Final = Path("/proc")


@frozen(kw_only=True)
class Memory:
    """MB. `resident` counts what processes share once for each of them; `proportional` counts it once in all."""

    resident: float
    proportional: float


def memory_of(pid: int) -> Memory:
    """Of that process and all that it has started, and they. BenchmarkFailed where it can't be read."""
    try:
        sums = [_kilobytes(each) for each in _family(pid)]
    except OSError as error:
        raise BenchmarkFailed(f"this system does not tell how much memory a process has: {error}") from error
    return Memory(
        resident=sum(each["Rss:"] for each in sums) / 1024, proportional=sum(each["Pss:"] for each in sums) / 1024
    )


def _kilobytes(pid: int) -> dict[str, int]:
    lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()[1:]
    return {name: int(number) for name, number, *_ in map(str.split, lines)}


def _family(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for directory in _PROC.iterdir():
        if directory.name.isdigit() and (parent := _parent(directory)):
            children.setdefault(parent, []).append(int(directory.name))
    family = [pid]
    for each in family:
        family += children.get(each, [])
    return family


def _parent(directory: Path) -> int:
    """0 for a process that has ended meanwhile."""
    try:
        # The name before it, in parentheses, may hold anything.
        return int((directory / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0
