"""Clients of a server on this machine: new connections at a fixed rate, and some that are kept open.

Each connection that was established must get its complete response, or, kept open, must get one with
`Connection: close`; all others count as dropped. A client whose request is more than 0.9 s late, because this machine
did not let it run, has no right to a response: the server may have closed a connection that was idle for 1 s.
"""

import asyncio
import http.client
import io
import socket
import threading
import time
from collections.abc import Iterator
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
_REQUEST: Final = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
_LAST_REQUEST: Final = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@define(eq=False)
class ConnectionLoad:
    """What the clients saw, over all calls of `running`."""

    _port: int = field(default=0, init=False)
    connect_seconds: list[float] = field(factory=list, init=False)
    answered: int = field(default=0, init=False)
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
                await self._ask(connection, _LAST_REQUEST, began)

    async def _keep(self) -> None:
        while not self._is_over.is_set():
            idle_since = time.monotonic()
            connection = await self._connect()
            if connection is None:
                await asyncio.sleep(_PAUSE)
                continue
            with connection:
                while not self._is_over.is_set():
                    response = await self._ask(connection, _REQUEST, idle_since)
                    idle_since = time.monotonic()
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
        self, connection: socket.socket, request: bytes, idle_since: float
    ) -> http.client.HTTPResponse | None:
        received = bytearray()
        is_late = time.monotonic() - idle_since > _LATE
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_TIMEOUT):
                await loop.sock_sendall(connection, request)
                while (response := _parsed(received)) is None:
                    part = await loop.sock_recv(connection, 65536)
                    if not part:
                        raise ConnectionResetError("closed")
                    received += part
        except OSError as error:
            if is_late and not received:
                self.late += 1
            else:
                self.dropped.append(f"{error!r} after {bytes(received)!r}")
            return None
        self.answered += 1
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
