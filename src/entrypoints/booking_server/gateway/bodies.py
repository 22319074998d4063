"""Reading the bodies of requests: bounded in length, and in the time that they may take."""

import asyncio
from asyncio import AbstractEventLoop, Task
from collections.abc import Awaitable, Mapping
from time import perf_counter
from typing import Any, Final

from attrs import define, field

from booking_api.http.request import LONGEST_BODY

BODY_SECONDS: Final = 10.0
_WITHOUT_BODY: Final = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
_LOOKS_IN_THE_TIME: Final = 10


@define(eq=False)
class Bodies:
    """Reads bodies, each within BODY_SECONDS, or a tenth more.

    One timer looks after all of them: nearly every body is there at once, and a timer for each costs more than reading.
    """

    loop: AbstractEventLoop
    _reading: dict[Task[Any], float] = field(factory=dict, init=False)
    _late: set[Task[Any]] = field(factory=set, init=False)
    _is_looking: bool = field(default=False, init=False)

    async def read(self, method: str, headers: Mapping[str, str], protocol: Any) -> bytes:
        """The body, or as much of it as shows that it is too long. Raises TimeoutError."""
        length = headers.get("content-length")
        if length == "0" or (length is None and method in _WITHOUT_BODY and "transfer-encoding" not in headers):
            return b""
        if length is not None and length.isascii() and length.isdigit() and int(length) <= LONGEST_BODY:
            return await self._in_time(protocol())
        return await self._in_time(_beginning(protocol, LONGEST_BODY + 1))

    async def _in_time(self, body: Awaitable[bytes]) -> bytes:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine is run by one
        # Who began first is first in it.
        self._reading[task] = perf_counter()
        self._look_later()
        try:
            return await body
        except asyncio.CancelledError:
            if task not in self._late:
                raise
            task.uncancel()
            raise TimeoutError from None
        finally:
            self._reading.pop(task, None)
            self._late.discard(task)

    def _look_later(self) -> None:
        if self._reading and not self._is_looking:
            self._is_looking = True
            self.loop.call_later(BODY_SECONDS / _LOOKS_IN_THE_TIME, self._look)

    def _look(self) -> None:
        self._is_looking = False
        since = perf_counter() - BODY_SECONDS
        for task, began in list(self._reading.items()):
            if began > since:
                break
            del self._reading[task]
            self._late.add(task)
            task.cancel()
        self._look_later()


async def _beginning(protocol: Any, most: int) -> bytes:
    body = bytearray()
    async for chunk in protocol:
        body += chunk
        if len(body) >= most:
            break
    return bytes(body[:most])
