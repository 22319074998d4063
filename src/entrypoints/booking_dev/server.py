"""The HTTP server of `booking dev`: granian in a thread, because the memory bus requires a single process.

Of granian's two servers one forks worker processes and the other requires a Python without the GIL. The worker thread
itself does not require it, so that the second server is used without its check.
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

_BACKLOG: Final = 2048  # connections that wait to be accepted
_CONNECTIONS: Final = 4096
_STOP_TIMEOUT_SECONDS: Final = 1.0  # for requests in flight


class PortTaken(Exception):
    """The address is not available. The text is one line for operators."""


@frozen
class Listener:
    """A listening socket: connections wait in its backlog until a server accepts them."""

    socket: socket.socket

    @property
    def url(self) -> str:
        """URL for a browser on this machine."""
        host, port = self.socket.getsockname()[:2]
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not listened on
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def listening(host: str, port: int) -> Iterator[Listener]:
    """Listen on the address until the end of the block. Raises PortTaken.

    Without SO_REUSEPORT, which granian's own sockets have: a second program could take half of the connections.
    """
    try:
        family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        taken = socket.create_server(where[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        # create_server appends the address to the reason.
        reason = (error.strerror or str(error)).partition(" (while ")[0]
        raise PortTaken(f"cannot listen on {host}:{port}: {reason}; choose another with --port") from error
    with taken:
        # Accepted connections inherit it. Without it the body of a response, which granian sends after the headers,
        # waits 40 ms until the client acknowledges them.
        taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield Listener(taken)


@contextmanager
def serving(app: Any, listener: Listener, *, threads: int) -> Iterator[None]:
    """Serve the WSGI application with this many threads until the end of the block.

    Requests in flight then have one second to finish; the process does not wait longer for them.
    """
    server = _ThreadServer(listener, threads)
    server.start(app)
    try:
        yield
    finally:
        server.stop()


class _ThreadServer(MTServer):
    """Server with one worker thread on an existing socket. It handles no signals; the supervisor does."""

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
        # A duplicate of the descriptor, because granian closes it.
        self._shd = SocketHolder(listener.socket.dup().detach(), False, _BACKLOG)  # type: ignore[call-arg, assignment]

    def start(self, app: Any) -> None:
        self._worker = self._spawn_worker(0, self._spawn_wsgi_worker, app)
        self._worker.inner.daemon = True
        self._worker.inner.start()

    def stop(self) -> None:
        self._worker.terminate()  # type: ignore[no-untyped-call]
        self._worker.join(_STOP_TIMEOUT_SECONDS)  # type: ignore[no-untyped-call]
