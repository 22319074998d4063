"""How long one call may take altogether, kept by every socket operation made for it.

An HTTP client's timeouts are per operation: a server that drips one byte of its headers or body every second is never
late. Here every operation is given what is left of the whole call, looking up the name included.
"""

import socket
import ssl
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from ipaddress import ip_address
from threading import Thread
from typing import Any

import httpcore2


class Deadline:
    """A moment of the monotonic clock, so that changes of the wall clock do not move it."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    @property
    def remaining(self) -> float:
        """Seconds that are left, never negative."""
        return max(0.0, self._at - time.monotonic())

    @contextmanager
    def kept(self) -> Iterator[None]:
        """All socket operations of this thread inside the block end by this deadline."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)


# httpcore2's synchronous pool works in the caller's thread, so the caller's context reaches the sockets.
_current: ContextVar[Deadline | None] = ContextVar("booking_catalog_deadline", default=None)


def _allowed(timeout: float | None, late: type[httpcore2.TimeoutException]) -> float | None:
    deadline = _current.get()
    if deadline is None:
        return timeout
    remaining = deadline.remaining
    if not remaining:  # a socket timeout of 0 would mean "do not block", not "too late"
        raise late("the time for the whole call is over")
    return remaining if timeout is None else min(timeout, remaining)


class DeadlineBackend(httpcore2.NetworkBackend):
    """TCP connections whose every operation ends by the current deadline; raises what httpcore2's own backend does."""

    def __init__(self) -> None:
        self._plain = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        failure: Exception = httpcore2.ConnectError("the name has no address")
        for address in _addresses(host, port, _allowed(timeout, httpcore2.ConnectTimeout)):
            allowed = _allowed(timeout, httpcore2.ConnectTimeout)
            try:
                return _DeadlineStream(
                    self._plain.connect_tcp(address, port, allowed, local_address, socket_options or ())
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure


class _DeadlineStream(httpcore2.NetworkStream):
    def __init__(self, plain: httpcore2.NetworkStream) -> None:
        self._plain = plain

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._plain.read(max_bytes, _allowed(timeout, httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._plain.write(buffer, _allowed(timeout, httpcore2.WriteTimeout))

    def close(self) -> None:
        self._plain.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        allowed = _allowed(timeout, httpcore2.ConnectTimeout)
        return _DeadlineStream(self._plain.start_tls(ssl_context, server_hostname, allowed))

    def get_extra_info(self, info: str) -> Any:
        return self._plain.get_extra_info(info)


def _addresses(host: str, port: int, timeout: float | None) -> list[str]:
    """The addresses of a host, in the resolver's order.

    `getaddrinfo` knows no timeout and may hang for as long as the resolver likes, so it is asked in a thread of its
    own; the pool and the breaker keep such threads few.
    """
    try:
        return [str(ip_address(host))]
    except ValueError:
        pass  # a name
    answer: Future[list[str]] = Future()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answer.set_result(list(dict.fromkeys(str(info[4][0]) for info in found)))
        except (OSError, UnicodeError) as error:  # UnicodeError: a label too long for a name
            answer.set_exception(httpcore2.ConnectError(f"{host}: {error}"))

    Thread(target=ask, name="booking-catalog-resolver", daemon=True).start()
    try:
        return answer.result(timeout)
    except TimeoutError:
        raise httpcore2.ConnectTimeout(f"{host}: the name was not resolved in time") from None
