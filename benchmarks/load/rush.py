"""Customers who all want seats of one event: `python -m benchmarks.load.rush URL FILE CONNECTIONS SECONDS`.

FILE is JSON: `eventId`, `seatIds`, and a token for each of the `customers`. Each connection serves one customer after
the other. A customer asks for any two seats; told that they are taken, for two of those that the map of seats last
showed as free; five times, or until the map shows none. Whoever is told that the service is busy asks again at once.
When all have bought or given up, the seats that are still free are asked for one by one, by the first customers again.

Prints, as JSON: `sold` (each seat of each 201), `soldAfter` (seconds to the last 201), `seconds` and `answers` (by
status, without the last seats; 0: none), `p95` and `longest` (ms, of all those), `lastSeats` (asked for one by one),
`free` (what the map shows as free at the end), and `cpu` (seconds that this program itself has used). SECONDS end it
with 1.
"""

import asyncio
import itertools
import json
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.figures import percentile
from benchmarks.load.bare_http import UNANSWERED, Answer, Caller

_TAKEN_TIMES: Final = 5
_LOOK_EVERY_SECONDS: Final = 0.25
_CONNECTED_TOGETHER: Final = 50
_ROUNDS: Final = 10
_RESERVE: Final = ("POST", "/api/v1/bookings")


def main() -> None:
    url, file, connections, seconds = sys.argv[1:]
    wanted = json.loads(Path(file).read_text())
    said = asyncio.run(_within(float(seconds), _Rush(url, wanted), int(connections)))
    print(json.dumps(said))


async def _within(seconds: float, rush: "_Rush", connections: int) -> dict[str, Any]:
    async with asyncio.timeout(seconds):
        return await rush.run(connections)


class _Rush:
    def __init__(self, url: str, wanted: dict[str, Any]) -> None:
        self._url, self._event_id = url, wanted["eventId"]
        self._all: Sequence[str] = wanted["seatIds"]
        self._customers: Sequence[str] = wanted["customers"]
        self._free = self._all
        self._sold: list[str] = []
        self._sold_at = 0.0
        self._took: list[float] = []
        self._answers: Counter[int] = Counter()

    async def run(self, connections: int) -> dict[str, Any]:
        callers = await self._connected(connections)
        look = Caller(self._url)
        began = time.monotonic()
        customers = iter(self._customers)
        looking = asyncio.create_task(self._look_on(look))
        await asyncio.gather(*(self._serve(caller, customers) for caller in callers))
        ended = time.monotonic()
        looking.cancel()
        answers, p95, longest = dict(self._answers), percentile(self._took, 95), max(self._took)
        last_seats = await self._buy_the_rest(callers[0])
        for caller in (*callers, look):
            caller.close()
        used = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "sold": self._sold,
            "soldAfter": self._sold_at - began,
            "seconds": ended - began,
            "answers": answers,
            "p95": p95,
            "longest": longest,
            "lastSeats": last_seats,
            "free": len(self._free),
            "cpu": used.ru_utime + used.ru_stime,
        }

    async def _connected(self, number: int) -> list[Caller]:
        callers = [Caller(self._url) for _ in range(number)]
        for first in range(0, number, _CONNECTED_TOGETHER):
            await asyncio.gather(*(caller.connect() for caller in callers[first : first + _CONNECTED_TOGETHER]))
        return callers

    async def _serve(self, caller: Caller, customers: Iterator[str]) -> None:
        for token in customers:
            await self._buy(caller, token)

    async def _buy(self, caller: Caller, token: str) -> None:
        """One customer, until they have two seats or give up."""
        wanted, taken = self._two_of(self._all), 0
        while wanted and taken < _TAKEN_TIMES:
            status, _ = await self._reserve(caller, token, wanted)
            if status == 409:
                taken += 1
                wanted = self._two_of(self._free)
            elif status != 503:
                return

    async def _buy_the_rest(self, caller: Caller) -> int:
        asked, customers = 0, itertools.cycle(self._customers)
        for _ in range(_ROUNDS):
            await self._look(caller)
            if not self._free:
                break
            for seat_id in self._free:
                asked += 1
                status = 503
                while status == 503:
                    status, _ = await self._reserve(caller, next(customers), [seat_id])
        return asked

    async def _reserve(self, caller: Caller, token: str, seat_ids: Sequence[str]) -> Answer:
        body = json.dumps({"eventId": self._event_id, "seatIds": seat_ids})
        began = time.monotonic()
        status, said = await caller.ask(token, *_RESERVE, body)
        now = time.monotonic()
        self._answers[status] += 1
        if status != UNANSWERED:
            self._took.append((now - began) * 1000)
        if status == 201:
            self._sold += seat_ids
            self._sold_at = now
        return status, said

    async def _look_on(self, caller: Caller) -> None:
        while True:
            await self._look(caller)
            await asyncio.sleep(_LOOK_EVERY_SECONDS)

    async def _look(self, caller: Caller) -> None:
        """Look at the map of seats. Who is told that the service is busy keeps what was seen before."""
        status, said = await caller.ask(self._customers[0], "GET", f"/api/v1/events/{self._event_id}/seats")
        if status == 200:
            seats = json.loads(said)["data"]["seats"]
            self._free = [seat["seatId"] for seat in seats if seat["status"] == "AVAILABLE"]

    def _two_of(self, seat_ids: Sequence[str]) -> list[str]:
        return random.sample(seat_ids, min(2, len(seat_ids)))


if __name__ == "__main__":
    main()
