"""Clients of a server on this machine: new connections at a fixed rate, and some that are kept open.

Each connection that was established must get its complete response, or, kept open, must get one with
`Connection: close`; all others count as dropped. A client whose request is more than 0.9 s late, because this machine
did not let it run, has no right to a response: the server may have closed a connection that was idle for 1 s. Such a
client may also read the last response late, so the 0.9 s begin when the request before it was sent.
"""

import asyncio
import http.client
import io
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from attrs import define, field

RATE: Final = 500
"""New connections a second."""
_KEPT: Final = 8
# Seconds between two requests on a kept connection: below the second after which an idle one may be closed.
_PAUSE: Final = 0.3
_LATE: Final = 0.9
# New connections at once, after a moment in which this machine did not let the clients run.
_BURST: Final = 50
_TIMEOUT: Final = 40.0


def _get() -> tuple[str, bytes]:
    return "GET / HTTP/1.1\r\nHost: localhost\r\n", b""


@define(eq=False)
class ConnectionLoad:
    """What the clients saw, over all calls of `running`. `request` makes the head and the body of each request."""

    request: Callable[[], tuple[str, bytes]] = _get
    _port: int = field(default=0, init=False)
    connect_seconds: list[float] = field(factory=list, init=False)
    statuses: Counter[int] = field(factory=Counter, init=False)
    last_answers: int = field(default=0, init=False)
    """Responses with `Connection: close` on connections that were to be kept."""
    not_connected: list[str] = field(factory=list, init=False)
    dropped: list[str] = field(factory=list, init=False)
    late: int = field(default=0, init=False)
    """Connections that were closed before their late request."""
    _is_over: threading.Event = field(factory=threading.Event, init=False)

    @contextmanager
    def running(self, port: int) -> Iterator[None]:
        """Send requests to this port while the block runs; at its end all responses have been received."""
        self._port = port
        self._is_over.clear()
        thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            thread.join(_TIMEOUT + 10)
            assert not thread.is_alive()

    @property
    def answered(self) -> int:
        """Complete responses."""
        return self.statuses.total()

    @property
    def connect_p99(self) -> float:
        """Seconds."""
        return sorted(self.connect_seconds)[int(len(self.connect_seconds) * 0.99)]

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as clients:
            for _ in range(_KEPT):
                clients.create_task(self._keep())
            began, sent = time.monotonic(), 0
            while not self._is_over.is_set():
                due = int((time.monotonic() - began) * RATE)
                for _ in range(min(due - sent, _BURST)):
                    clients.create_task(self._connect_once())
                sent = due
                await asyncio.sleep(0.002)

    async def _connect_once(self) -> None:
        began = time.monotonic()
        connection = await self._connect()
        if connection is not None:
            with connection:
                await self._ask(connection, began, is_last=True)

    async def _keep(self) -> None:
        while not self._is_over.is_set():
            used_at = time.monotonic()
            connection = await self._connect()
            if connection is None:
                await asyncio.sleep(_PAUSE)
                continue
            with connection:
                while not self._is_over.is_set():
                    used_before, used_at = used_at, time.monotonic()
                    response = await self._ask(connection, used_before)
                    if response is None:
                        break
                    if response.will_close:
                        self.last_answers += 1
                        break
                    await asyncio.sleep(_PAUSE)
            await asyncio.sleep(_PAUSE)

    async def _connect(self) -> socket.socket | None:
        connection = socket.socket()
        connection.setblocking(False)
        began = time.monotonic()
        try:
            async with asyncio.timeout(_TIMEOUT):
                await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", self._port))
        except OSError as error:
            self.not_connected.append(type(error).__name__)
            connection.close()
            return None
        self.connect_seconds.append(time.monotonic() - began)
        return connection

    async def _ask(
        self, connection: socket.socket, used_before: float, *, is_last: bool = False
    ) -> http.client.HTTPResponse | None:
        """Send a request on a connection that was used before at this time, and return the response."""
        head, body = self.request()
        request = f"{head}Connection: close\r\n\r\n" if is_last else f"{head}\r\n"
        received = bytearray()
        idle = time.monotonic() - used_before
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_TIMEOUT):
                await loop.sock_sendall(connection, request.encode() + body)
                while (response := _parsed(received)) is None:
                    part = await loop.sock_recv(connection, 65536)
                    if not part:
                        raise ConnectionResetError("closed")
                    received += part
        except OSError as error:
            if idle > _LATE and not received:
                self.late += 1
            else:
                self.dropped.append(f"{error!r} after {idle:.3f} s and {bytes(received)!r}")
            return None
        self.statuses[response.status] += 1
        return response


class _Received(io.BytesIO):
    def makefile(self, *_: object) -> io.BytesIO:
        return self


def _parsed(received: bytearray) -> http.client.HTTPResponse | None:
    """A response of which everything has been received."""
    if b"\r\n\r\n" not in received:
        return None
    response = http.client.HTTPResponse(_Received(bytes(received)))  # type: ignore[arg-type]
    response.begin()
    length = response.length
    return response if length is not None and len(response.read()) == length else None
