"""HTTP transport that ends every socket operation by the deadline of the whole call.

The timeouts of an HTTP client apply per operation: a server that sends one byte of its headers or body each second
never exceeds them. Here each operation, name resolution included, is limited to the time that the call has left.
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
from typing import Any, cast

import httpcore2
import httpx2


class Deadline:
    """The end of a call on the monotonic clock, so that changes of the wall clock do not move it."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    @property
    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self._at - time.monotonic())

    @contextmanager
    def applied(self) -> Iterator[None]:
        """End all socket operations of this thread in the block by this deadline."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)


# httpcore2's synchronous pool runs in the caller's thread, so the caller's context reaches the sockets.
_current: ContextVar[Deadline | None] = ContextVar("booking_catalog_deadline", default=None)


def _allowed(timeout: float | None, expired: type[httpcore2.TimeoutException]) -> float | None:
    """The timeout of one operation, at most what the call has left; raise `expired` if that is nothing."""
    deadline = _current.get()
    if deadline is None:
        return timeout
    remaining = deadline.remaining
    if not remaining:  # a socket timeout of 0 would mean "do not block", not "expired"
        raise expired("the time for the whole call is over")
    return remaining if timeout is None else min(timeout, remaining)


class DeadlineBackend(httpcore2.NetworkBackend):
    """TCP connections whose operations end by the current deadline; raises the errors of httpcore2.SyncBackend."""

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

    `getaddrinfo` has no timeout, so it runs in a thread of its own. The connection pool and the circuit breaker limit
    the number of such threads.
    """
    try:
        return [str(ip_address(host))]
    except ValueError:
        pass  # a name
    resolved: Future[list[str]] = Future()

    def resolve() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            resolved.set_result(list(dict.fromkeys(str(info[4][0]) for info in found)))
        except (OSError, UnicodeError) as error:  # UnicodeError: a label too long for a name
            resolved.set_exception(httpcore2.ConnectError(f"{host}: {error}"))

    Thread(target=resolve, name="booking-catalog-resolver", daemon=True).start()
    try:
        return resolved.result(timeout)
    except TimeoutError:
        raise httpcore2.ConnectTimeout(f"{host}: the name was not resolved in time") from None


class _Body(httpx2.SyncByteStream):
    def __init__(self, response: httpcore2.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        yield from cast("Iterable[bytes]", self._response.stream)

    def close(self) -> None:
        self._response.close()


class DeadlineTransport(httpx2.BaseTransport):
    """Pooled HTTP/1.1 connections; network errors are raised as httpcore2's, not httpx2's."""

    def __init__(self, ssl_context: ssl.SSLContext | None, *, connections: int) -> None:
        self._pool = httpcore2.ConnectionPool(
            ssl_context=ssl_context,
            max_connections=connections,
            keepalive_expiry=5.0,
            network_backend=DeadlineBackend(),
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        url = httpcore2.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        response = self._pool.handle_request(
            httpcore2.Request(
                method=request.method, url=url, headers=request.headers.raw, extensions=request.extensions
            )
        )
        return httpx2.Response(
            status_code=response.status,
            headers=response.headers,
            stream=_Body(response),
            extensions=response.extensions,
        )

    def close(self) -> None:
        self._pool.close()
