"""GET from the Catalog: deadlines, retries, the circuit breaker, and a limit on the length of the answer."""

import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from threading import Lock
from typing import Final, cast

import httpcore2
import httpx2
import stamina

from booking_catalog.answers import printable
from booking_catalog.breaker import CircuitBreaker, Unanswered
from booking_catalog.deadline import Deadline, DeadlineBackend
from booking_core.ports.catalog import CatalogAnswerInvalid


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


MAX_BODY_BYTES: Final = 8 * 1024 * 1024
_CONNECTIONS: Final = 10
_LONGEST_WAIT_SECONDS: Final = 0.2


class Exchange:
    """Safe to use from many threads. Opens nothing before the first `get`."""

    def __init__(self, base_url: httpx2.URL, *, timeout_seconds: float, attempts: int, breaker: CircuitBreaker) -> None:
        self._base_url = base_url
        # Without user and password: httpx2 logs every URL.
        self._prefix = str(base_url.copy_with(username=None, password=None)).rstrip("/")
        self._timeout = httpx2.Timeout(timeout_seconds)
        self._attempts = attempts
        self._breaker = breaker
        self._lock = Lock()
        self._client: httpx2.Client | None = None
        self._closed = False

    def get(self, path: str, deadline: Deadline) -> bytes | None:
        """The body of a 200, None for a 404.

        Raises Unanswered when the last attempt that fits before the deadline failed (no connection, a broken one,
        silence, 5xx, 429), CircuitOpen when the breaker forbids an attempt, CatalogAnswerInvalid, at once, for
        another status or a body above MAX_BODY_BYTES.
        """

        def worth_another(error: Exception) -> bool:
            return isinstance(error, Unanswered) and deadline.remaining > _LONGEST_WAIT_SECONDS

        for attempt in stamina.retry_context(
            on=worth_another,
            attempts=self._attempts,
            timeout=None,  # the deadline says when to stop, also in the middle of an attempt
            wait_initial=0.05,
            wait_max=_LONGEST_WAIT_SECONDS,
            wait_jitter=0.1,
        ):
            with attempt:
                return self._once(path, deadline)
        raise AssertionError("stamina ends by returning or raising")  # pragma: no cover

    def close(self) -> None:
        """For good: what is asked afterwards, or at this moment, is Unanswered."""
        with self._lock:
            client, self._client, self._closed = self._client, None, True
        if client is not None:
            client.close()

    def _once(self, path: str, deadline: Deadline) -> bytes | None:
        client = self._opened()
        # Nonsense is carried out of the breaker's block as a value: a Catalog that answers in time, whatever it says,
        # is up. Cutting it off would make the good events suffer for the bad one, and protect nobody from waiting.
        invalid: CatalogAnswerInvalid | None = None
        with self._breaker.attempt(), deadline.kept(), _failures_told(client):
            request = client.build_request("GET", self._prefix + path, timeout=self._timeout)
            response = client.send(request, stream=True)
            try:
                return _body_of(response)
            except CatalogAnswerInvalid as error:
                invalid = error
            finally:
                response.close()
        raise invalid

    def _opened(self) -> httpx2.Client:
        with self._lock:
            if self._closed:
                raise Unanswered("this client is closed")
            if self._client is None:
                self._client = open_client(self._base_url, connections=_CONNECTIONS)
            return self._client


@contextmanager
def _failures_told(client: httpx2.Client) -> Iterator[None]:
    try:
        yield
    except httpcore2.TimeoutException as error:
        raise Unanswered(f"no answer in time ({_named(error)})") from error
    except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError) as error:
        raise Unanswered(f"the connection failed ({_named(error)})") from error
    except RuntimeError as error:
        if not client.is_closed:
            raise
        raise Unanswered("this client was closed meanwhile") from error


def _named(error: Exception) -> str:
    return printable(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)


def _body_of(response: httpx2.Response) -> bytes | None:
    status = response.status_code
    if status >= 500 or status == 429:
        raise Unanswered(f"status {status}")
    if status == 404:
        return None
    if status != 200:
        hint = ", and redirects are not followed" if response.is_redirect else ""
        raise CatalogAnswerInvalid(f"status {status}{hint}")
    if (coding := response.headers.get("Content-Encoding", "identity")) != "identity":
        raise CatalogAnswerInvalid(f"Content-Encoding {printable(coding)} was not asked for")
    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise CatalogAnswerInvalid(f"the answer is longer than {MAX_BODY_BYTES} bytes")
    return bytes(body)
