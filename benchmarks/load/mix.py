"""Customers who do different things: `python -m benchmarks.load.mix URL FILE CONNECTIONS SECONDS`.

FILE is JSON: the ids of `events`, a token for each of the `customers`, and `weights` (how often each transaction is
chosen). Each connection makes one transaction after the other:

- `find events`: a page of the list of events;
- `find seats`: the map of an event's seats; the free ones are remembered by all;
- `reserve`: one of these seats, by the next customer;
- `cancel`: a booking that was made here and is still open;
- `change`: such a booking is cancelled, and another seat of its event reserved by the same customer: two requests.

Without a remembered seat or booking a transaction is `find seats` or `reserve`. A request that is told that the service
is busy is sent again at once. Prints, as JSON: `transactions` (of each, how many were `done` and how many `refused` as
the seat was taken meanwhile), `took` (milliseconds of each that was done), `busy` (answers of 503), `unanswered`,
`seconds`, and `cpu` (seconds that this program itself has used).
"""

import asyncio
import itertools
import json
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from benchmarks.load.bare_http import UNANSWERED, Answer, Caller

_CONNECTED_TOGETHER: Final = 50
_PAGE: Final = "/api/v1/events?limit=20"
_EXPECTED: Final = (200, 201, 409)


def main() -> None:
    url, file, connections, seconds = sys.argv[1:]
    said = asyncio.run(_Mix(url, json.loads(Path(file).read_text())).run(int(connections), float(seconds)))
    print(json.dumps(said))


@frozen
class _Booked:
    token: str
    booking_id: str
    event_id: str
    seat_id: str


class _UnexpectedAnswer(Exception):
    """Neither done, nor taken, nor busy."""


class _Mix:
    def __init__(self, url: str, wanted: Mapping[str, Any]) -> None:
        self._url = url
        self._events: Sequence[str] = wanted["events"]
        self._pages = len(self._events) // 20
        self._customers = itertools.cycle(wanted["customers"])
        self._names, self._weights = list(wanted["weights"]), list(wanted["weights"].values())
        self._free: dict[str, list[str]] = {}
        self._open: list[_Booked] = []
        self._transactions: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._took: dict[str, list[float]] = {name: [] for name in self._names}
        self._busy = self._unanswered = 0

    async def run(self, connections: int, seconds: float) -> dict[str, Any]:
        callers = [Caller(self._url) for _ in range(connections)]
        for first in range(0, connections, _CONNECTED_TOGETHER):
            await asyncio.gather(*(caller.connect() for caller in callers[first : first + _CONNECTED_TOGETHER]))
        before, began = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
        await asyncio.gather(*(self._go_on(caller, began + seconds) for caller in callers))
        ended, used = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF)
        for caller in callers:
            caller.close()
        return {
            "transactions": {
                name: {"done": self._transactions[name], "refused": self._refused[name]} for name in self._names
            },
            "took": self._took,
            "busy": self._busy,
            "unanswered": self._unanswered,
            "seconds": ended - began,
            "cpu": used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime,
        }

    async def _go_on(self, caller: Caller, until: float) -> None:
        while time.monotonic() < until:
            name = self._possible(random.choices(self._names, self._weights)[0])
            began = time.monotonic()
            if await getattr(self, f"_{name.replace(' ', '_')}")(caller):
                self._transactions[name] += 1
                self._took[name].append((time.monotonic() - began) * 1000)
            else:
                self._refused[name] += 1

    def _possible(self, name: str) -> str:
        if name in ("cancel", "change") and not self._open:
            name = "reserve"
        return "find seats" if name == "reserve" and not any(self._free.values()) else name

    async def _find_events(self, caller: Caller) -> bool:
        page = random.randint(1, max(1, self._pages))
        status, _ = await self._ask(caller, next(self._customers), "GET", f"{_PAGE}&page={page}")
        return status == 200

    async def _find_seats(self, caller: Caller) -> bool:
        event_id = random.choice(self._events)
        status, said = await self._ask(caller, next(self._customers), "GET", f"/api/v1/events/{event_id}/seats")
        if status == 200:
            seats = json.loads(said)["data"]["seats"]
            self._free[event_id] = [seat["seatId"] for seat in seats if seat["status"] == "AVAILABLE"]
        return status == 200

    async def _reserve(self, caller: Caller) -> bool:
        event_id = random.choice([each for each, seats in self._free.items() if seats])
        return await self._book(caller, next(self._customers), event_id)

    async def _cancel(self, caller: Caller) -> bool:
        booked = self._open.pop(random.randrange(len(self._open)))
        return await self._end(caller, booked)

    async def _change(self, caller: Caller) -> bool:
        booked = self._open.pop(random.randrange(len(self._open)))
        return await self._end(caller, booked) and await self._book(caller, booked.token, booked.event_id)

    async def _book(self, caller: Caller, token: str, event_id: str) -> bool:
        if not self._free[event_id]:
            return False
        seat_id = self._free[event_id].pop(random.randrange(len(self._free[event_id])))
        body = json.dumps({"eventId": event_id, "seatIds": [seat_id]})
        status, said = await self._ask(caller, token, "POST", "/api/v1/bookings", body)
        if status == 201:
            self._open.append(_Booked(token, json.loads(said)["data"]["bookingId"], event_id, seat_id))
        return status == 201

    async def _end(self, caller: Caller, booked: _Booked) -> bool:
        status, _ = await self._ask(caller, booked.token, "DELETE", f"/api/v1/bookings/{booked.booking_id}")
        if status == 200:
            self._free[booked.event_id].append(booked.seat_id)
        return status == 200

    async def _ask(self, caller: Caller, token: str, method: str, path: str, body: str = "") -> Answer:
        while True:
            status, said = await caller.ask(token, method, path, body)
            if status in _EXPECTED:
                return status, said
            if status == UNANSWERED:
                self._unanswered += 1
                return status, said
            if status != 503:
                raise _UnexpectedAnswer(f"{method} {path}: {status} {said.decode(errors='replace')}")
            self._busy += 1


if __name__ == "__main__":
    main()
