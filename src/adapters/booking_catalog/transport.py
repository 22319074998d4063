"""An httpx2 transport over a connection pool that keeps deadlines.

httpx2's own transport has no way to bring a network backend, so the pool beneath it (httpcore2) is used directly.
"""

import ssl
from collections.abc import Iterable, Iterator
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import cast

import httpcore2
import httpx2

from booking_catalog.deadline import DeadlineBackend


class _Body(httpx2.SyncByteStream):
    def __init__(self, response: httpcore2.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        yield from cast("Iterable[bytes]", self._response.stream)

    def close(self) -> None:
        self._response.close()


class DeadlineTransport(httpx2.BaseTransport):
    """Pooled HTTP/1.1 connections; errors of the network are raised as httpcore2's, not httpx2's."""

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


def open_client(base_url: httpx2.URL, *, connections: int) -> httpx2.Client:
    """A client that follows no redirect, keeps no cookie, asks for no compression and reads no environment.

    The user and password of `base_url`, if any, are sent as basic authentication. Not compressed, so that a small
    answer cannot unfold into one that fills the memory.
    """
    secured = base_url.scheme == "https"
    return httpx2.Client(
        transport=DeadlineTransport(
            httpx2.create_ssl_context(trust_env=False) if secured else None, connections=connections
        ),
        trust_env=False,
        follow_redirects=False,
        auth=(base_url.username, base_url.password) if base_url.userinfo else None,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "booking-core"},
    )
