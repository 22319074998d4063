"""Many customers who ask at the same moment, each on a connection of their own that was opened before."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.load.bare_http import Answer, Caller

_CONNECTED_TOGETHER = 50


def bursts(url: str, requests: Path, *, customers: int, times: int, pause_seconds: float) -> Counter[int]:
    """Answers by status (0: none came) of so many bursts, with a pause before each. Requests of the file in order."""
    with requests.open() as lines:
        wanted = [line.rstrip("\n").split(" ") for line in itertools.islice(lines, customers * times)]
    return asyncio.run(_bursts(url, iter(wanted), customers, times, pause_seconds))


async def _bursts(
    url: str, wanted: Iterator[Sequence[str]], customers: int, times: int, pause_seconds: float
) -> Counter[int]:
    answers: Counter[int] = Counter()
    callers = [Caller(url) for _ in range(customers)]
    for first in range(0, customers, _CONNECTED_TOGETHER):
        await asyncio.gather(*(caller.connect() for caller in callers[first : first + _CONNECTED_TOGETHER]))
    for _ in range(times):
        await asyncio.sleep(pause_seconds)
        said = await asyncio.gather(*(_ask(caller, next(wanted)) for caller in callers))
        answers.update(status for status, _ in said)
    for caller in callers:
        caller.close()
    return answers


async def _ask(caller: Caller, request: Sequence[str]) -> Answer:
    token, method, path, body, key = request
    return await caller.ask(token, method, path, body, key)
