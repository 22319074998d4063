"""The API in a thread of this process, for `booking dev`: the bus is in memory, so all its users share one process.

It is granian as in `serve`. Of granian's own servers, one forks its workers and the other wants a Python without the
GIL; the worker itself needs neither, so the second one is used without that demand.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from attrs import frozen
from granian.constants import Interfaces, RuntimeModes
from granian.log import LogLevels
from granian.net import SocketHolder
from granian.server.mt import MTServer

_BACKLOG: Final = 2048
_CONNECTIONS: Final = 4096
_STOPS_WITHIN_SECONDS: Final = 1.0


class PortTaken(Exception):
    """Nobody can listen there. The text is one line for a person."""


@frozen
class Listener:
    """An address that is ours: connections wait from now on, and are answered as soon as somebody serves them."""

    socket: socket.socket

    @property
    def url(self) -> str:
        """Where a browser on this machine finds it."""
        host, port = self.socket.getsockname()[:2]
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not listened on
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def listening(host: str, port: int) -> Iterator[Listener]:
    """Take the address, let it go at the end. Raises PortTaken at once if it can't be had.

    Without SO_REUSEPORT, which granian's own sockets have: two programs would share the port, each half the customers.
    """
    try:
        family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        taken = socket.create_server(where[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        # create_server puts the address behind the reason, once more.
        reason = (error.strerror or str(error)).partition(" (while ")[0]
        raise PortTaken(f"cannot listen on {host}:{port}: {reason}; choose another with --port") from error
    with taken:
        # The connections inherit it: else the body of an answer, which granian sends after its headers, waits 40 ms for
        # the caller to acknowledge them.
        taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield Listener(taken)


@contextmanager
def serving(app: Any, listener: Listener, *, threads: int) -> Iterator[None]:
    """Answer with the WSGI application, from so many threads, until the end of the block.

    Then requests in flight are finished for at most a second; the end of the process waits for none of them longer.
    """
    server = _ThreadServer(listener, threads)
    server.start(app)
    try:
        yield
    finally:
        server.stop()


class _ThreadServer(MTServer):
    """One worker, on a socket that is there already. Signals are somebody else's business."""

    def __init__(self, listener: Listener, threads: int) -> None:
        super().__init__(
            "booking dev",
            interface=Interfaces.WSGI,
            runtime_mode=RuntimeModes.mt,
            blocking_threads=threads,
            backpressure=_CONNECTIONS,
            websockets=False,
            log_enabled=False,
            log_level=LogLevels.error,
        )
        # A descriptor of its own: granian closes what it is given.
        self._shd = SocketHolder(listener.socket.dup().detach(), False, _BACKLOG)  # type: ignore[call-arg, assignment]

    def start(self, app: Any) -> None:
        self._worker = self._spawn_worker(0, self._spawn_wsgi_worker, app)
        self._worker.inner.daemon = True
        self._worker.inner.start()

    def stop(self) -> None:
        self._worker.terminate()  # type: ignore[no-untyped-call]
        self._worker.join(_STOPS_WITHIN_SECONDS)  # type: ignore[no-untyped-call]
