"""A TCP proxy before PostgreSQL that cuts a connection at a chosen moment of a COMMIT. Plain text only."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum

from attrs import define, field
from sqlalchemy.engine import make_url

_COMMIT = b"COMMIT\0"  # as a statement ends on the wire: READ COMMITTED is none


class Cut(Enum):
    """When to cut the connection that carries the next COMMIT."""

    BEFORE_COMMIT = "before the server has seen it"
    BEFORE_REPLY = "once the server has done it, before the client hears of it"
    DELAYED = "before the server has seen it, which it does once `deliver` is set"


@define(eq=False)
class CuttingProxy:
    """Forwards everything to `upstream`. `cut` is done once; `closed`: new connections are dropped at once."""

    upstream: tuple[str, int]
    cut: Cut | None = None
    closed: bool = False
    cuts: int = 0
    deliver: threading.Event = field(factory=threading.Event)
    _listener: socket.socket = field(factory=lambda: socket.create_server(("127.0.0.1", 0)))
    _sockets: list[socket.socket] = field(factory=list)
    _muted: set[socket.socket] = field(factory=set)
    _threads: list[threading.Thread] = field(factory=list)

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def start(self) -> None:
        self._run(self._accept)

    def stop(self) -> None:
        self.closed = True
        for each in [self._listener, *self._sockets]:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join(timeout=10)

    def _run(self, job: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=job, args=args)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.closed:
                    client.close()
                    continue
                server = socket.create_connection(self.upstream)
                self._sockets += [client, server]
                self._run(self._up, client, server)
                self._run(self._down, server, client)

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(1 << 16):
                if self.cut is not None and _COMMIT in data:
                    cut, self.cut = self.cut, None
                    self.cuts += 1
                    self._cut(cut, data, client, server)
                    return
                server.sendall(data)
        self._hang_up(client, server)

    def _cut(self, cut: Cut, data: bytes, client: socket.socket, server: socket.socket) -> None:
        if cut is Cut.BEFORE_COMMIT:
            self._hang_up(client, server)
            return
        self._muted.add(client)  # from now on nothing reaches the client
        if cut is Cut.DELAYED:
            client.shutdown(socket.SHUT_RDWR)
            self.deliver.wait(10)
        server.sendall(data)
        # The server reads to the end, commits and hangs up; then `_down` does so before the client.
        server.shutdown(socket.SHUT_WR)

    def _down(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(1 << 16):
                if client not in self._muted:
                    client.sendall(data)
        self._hang_up(client, server)

    def _hang_up(self, *sockets: socket.socket) -> None:
        for each in sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxy_before(url: str) -> Iterator[tuple[CuttingProxy, str]]:
    """A proxy before the server of this URL, and the URL that leads through it."""
    parsed = make_url(url)
    proxy = CuttingProxy(upstream=(str(parsed.host), int(parsed.port or 5432)))
    proxy.start()
    try:
        through = parsed.set(host="127.0.0.1", port=proxy.port)
        yield proxy, through.render_as_string(hide_password=False)
    finally:
        proxy.stop()
