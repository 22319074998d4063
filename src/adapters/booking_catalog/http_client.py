"""HTTP client of the Catalog Service: GET with a deadline, retries, a circuit breaker and a body size limit."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from threading import Lock
from typing import Final

import httpcore2
import httpx2
import stamina
from attrs import frozen

from booking_catalog.circuit_breaker import AttemptFailed, CircuitBreaker
from booking_catalog.responses import printable
from booking_catalog.transport import Deadline, DeadlineTransport
from booking_core.ports.catalog import CatalogAnswerInvalid

_GZIP: Final = 16 + zlib.MAX_WBITS
_CHUNK_BYTES: Final = 64 * 1024
_CONNECTIONS: Final = 10
_LONGEST_WAIT_SECONDS: Final = 0.2  # between two attempts


def open_client(base_url: httpx2.URL) -> httpx2.Client:
    """A client that follows no redirect, keeps no cookie and reads no environment.

    The user and password of `base_url`, if any, are sent as basic authentication. httpx2 would expand a compressed body
    without a limit, so `_read_body` expands it.
    """
    ssl_context = httpx2.create_ssl_context(trust_env=False) if base_url.scheme == "https" else None
    return httpx2.Client(
        transport=DeadlineTransport(ssl_context, connections=_CONNECTIONS),
        trust_env=False,
        follow_redirects=False,
        auth=(base_url.username, base_url.password) if base_url.userinfo else None,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        headers={"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "booking-core"},
    )


@frozen(kw_only=True)
class BodyLimit:
    """The most bytes that a body may have, expanded; with the name and the advice that an error gives."""

    name: str
    most_bytes: int
    advice: str


class CatalogHttpClient:
    """GET requests to one Catalog Service. Safe to use from many threads; connects at the first request."""

    def __init__(self, base_url: httpx2.URL, *, connect_seconds: float, attempts: int, breaker: CircuitBreaker) -> None:
        self._base_url = base_url
        # Without user and password, because httpx2 logs every URL.
        self._prefix = str(base_url.copy_with(username=None, password=None)).rstrip("/")
        self._connect_seconds = connect_seconds
        self._attempts = attempts
        self._breaker = breaker
        self._lock = Lock()
        self._client: httpx2.Client | None = None
        self._closed = False

    def get(
        self, path: str, *, event: str, deadline: Deadline, limit: BodyLimit, timeout_seconds: float
    ) -> bytearray | None:
        """The body of a 200, None for a 404. `event` is the id whose failures the circuit breaker tells apart.

        Raises AttemptFailed if the last attempt that fits before the deadline failed (no connection, a broken one, no
        bytes for `timeout_seconds`, 5xx, 429), CircuitOpen if the circuit breaker rejects an attempt, and
        CatalogAnswerInvalid, without a retry, for another status or a body above the limit.
        """

        def should_retry(error: Exception) -> bool:
            return isinstance(error, AttemptFailed) and deadline.remaining > _LONGEST_WAIT_SECONDS

        for attempt in stamina.retry_context(
            on=should_retry,
            attempts=self._attempts,
            timeout=None,  # the deadline ends the retries, also within an attempt
            wait_initial=0.05,
            wait_max=_LONGEST_WAIT_SECONDS,
            wait_jitter=0.1,
        ):
            with attempt:
                return self._attempt(path, event, deadline, limit, timeout_seconds)
        raise AssertionError("stamina returns or raises")  # pragma: no cover

    def close(self) -> None:
        """Close the connections for good: requests in flight and later ones raise AttemptFailed."""
        with self._lock:
            client, self._client, self._closed = self._client, None, True
        if client is not None:
            client.close()

    def _attempt(
        self, path: str, event: str, deadline: Deadline, limit: BodyLimit, timeout_seconds: float
    ) -> bytearray | None:
        client = self._opened()
        # An invalid response leaves the breaker's block as a value and counts as a success: the service responded in
        # time. Opening the circuit would cut off valid events because of an invalid one.
        invalid: CatalogAnswerInvalid | None = None
        timeout = httpx2.Timeout(self._connect_seconds, read=timeout_seconds)
        with self._breaker.attempt(event), deadline.applied(), _translated_errors(client):
            request = client.build_request("GET", self._prefix + path, timeout=timeout)
            response = client.send(request, stream=True)
            try:
                body = _read_body(response, limit)
                if body is not None:
                    self._breaker.answered(event)
                return body
            except CatalogAnswerInvalid as error:
                invalid = error
            finally:
                response.close()
        raise invalid

    def _opened(self) -> httpx2.Client:
        with self._lock:
            if self._closed:
                raise AttemptFailed("this client is closed")
            if self._client is None:
                self._client = open_client(self._base_url)
            return self._client


@contextmanager
def _translated_errors(client: httpx2.Client) -> Iterator[None]:
    try:
        yield
    except httpcore2.TimeoutException as error:
        is_connecting = isinstance(error, httpcore2.ConnectTimeout)
        raise AttemptFailed(f"no answer in time ({_described(error)})", of_service=is_connecting) from error
    except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError) as error:
        is_connecting = isinstance(error, httpcore2.ConnectError)
        raise AttemptFailed(f"the connection failed ({_described(error)})", of_service=is_connecting) from error
    except RuntimeError as error:
        if not client.is_closed:
            raise
        raise AttemptFailed("this client was closed meanwhile") from error


def _described(error: Exception) -> str:
    return printable(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)


def _read_body(response: httpx2.Response, limit: BodyLimit) -> bytearray | None:
    status = response.status_code
    if status >= 500 or status == 429:
        # What 500, 502 and 504 say is said of one event's response; 429 and 503 are said of the service.
        raise AttemptFailed(f"status {status}", of_service=status in (429, 503))
    if status == 404:
        return None
    if status != 200:
        where = printable(response.headers.get("Location", ""))
        hint = f": it redirects to {where}, which BOOKING_CATALOG_URL has to name" if where else ""
        raise CatalogAnswerInvalid(printable(f"status {status}{hint}"))
    body = bytearray()
    for chunk in _expanded(response):
        body += chunk
        if len(body) > limit.most_bytes:
            raise CatalogAnswerInvalid(
                f"the answer is longer than {limit.most_bytes} bytes, the limit {limit.name}: {limit.advice}"
            )
    return body


def _expanded(response: httpx2.Response) -> Iterator[bytes]:
    """The body in chunks; those of a compressed one have at most 64 KiB each, whatever it expands to."""
    coding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if coding in ("identity", ""):
        yield from response.iter_raw()
    elif coding in ("gzip", "x-gzip"):
        yield from _gunzipped(response.iter_raw())
    else:
        raise CatalogAnswerInvalid(f"Content-Encoding {printable(coding)} was not asked for")


def _gunzipped(chunks: Iterator[bytes]) -> Iterator[bytes]:
    expander = zlib.decompressobj(_GZIP)
    try:
        for chunk in chunks:
            rest = chunk
            while rest:
                yield expander.decompress(rest, _CHUNK_BYTES)
                rest = expander.unconsumed_tail
    except zlib.error as error:
        raise CatalogAnswerInvalid(f"not gzip: {printable(str(error))}") from None
    if not expander.eof:
        raise AttemptFailed("the answer ends in the middle of its gzip stream", of_service=False)
