"""HTTP client of the Catalog Service: GET with a deadline, retries, a circuit breaker and a body size limit."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from threading import Lock
from typing import Final

import httpcore2
import httpx2
import stamina

from booking_catalog.circuit_breaker import AttemptFailed, CircuitBreaker
from booking_catalog.responses import printable
from booking_catalog.transport import Deadline, DeadlineTransport
from booking_core.ports.catalog import CatalogAnswerInvalid

MAX_BODY_BYTES: Final = 8 * 1024 * 1024  # tens of thousands of seats
_CONNECTIONS: Final = 10
_LONGEST_WAIT_SECONDS: Final = 0.2  # between two attempts


def open_client(base_url: httpx2.URL) -> httpx2.Client:
    """A client that follows no redirect, keeps no cookie, requests no compression and reads no environment.

    The user and password of `base_url`, if any, are sent as basic authentication. Compression is off, because a small
    compressed body can expand until it fills the memory.
    """
    ssl_context = httpx2.create_ssl_context(trust_env=False) if base_url.scheme == "https" else None
    return httpx2.Client(
        transport=DeadlineTransport(ssl_context, connections=_CONNECTIONS),
        trust_env=False,
        follow_redirects=False,
        auth=(base_url.username, base_url.password) if base_url.userinfo else None,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "booking-core"},
    )


class CatalogHttpClient:
    """GET requests to one Catalog Service. Safe to use from many threads; connects at the first request."""

    def __init__(self, base_url: httpx2.URL, *, timeout_seconds: float, attempts: int, breaker: CircuitBreaker) -> None:
        self._base_url = base_url
        # Without user and password, because httpx2 logs every URL.
        self._prefix = str(base_url.copy_with(username=None, password=None)).rstrip("/")
        self._timeout = httpx2.Timeout(timeout_seconds)
        self._attempts = attempts
        self._breaker = breaker
        self._lock = Lock()
        self._client: httpx2.Client | None = None
        self._closed = False

    def get(self, path: str, deadline: Deadline) -> bytes | None:
        """The body of a 200, None for a 404.

        Raises AttemptFailed if the last attempt that fits before the deadline failed (no connection, a broken one, a
        timeout, 5xx, 429), CircuitOpen if the circuit breaker rejects an attempt, and CatalogAnswerInvalid, without a
        retry, for another status or a body above MAX_BODY_BYTES.
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
                return self._attempt(path, deadline)
        raise AssertionError("stamina returns or raises")  # pragma: no cover

    def close(self) -> None:
        """Close the connections for good: requests in flight and later ones raise AttemptFailed."""
        with self._lock:
            client, self._client, self._closed = self._client, None, True
        if client is not None:
            client.close()

    def _attempt(self, path: str, deadline: Deadline) -> bytes | None:
        client = self._opened()
        # An invalid response leaves the breaker's block as a value and counts as a success: the service responded in
        # time. Opening the circuit would cut off valid events because of an invalid one.
        invalid: CatalogAnswerInvalid | None = None
        with self._breaker.attempt(), deadline.applied(), _translated_errors(client):
            request = client.build_request("GET", self._prefix + path, timeout=self._timeout)
            response = client.send(request, stream=True)
            try:
                return _read_body(response)
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
        raise AttemptFailed(f"no answer in time ({_described(error)})") from error
    except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError) as error:
        raise AttemptFailed(f"the connection failed ({_described(error)})") from error
    except RuntimeError as error:
        if not client.is_closed:
            raise
        raise AttemptFailed("this client was closed meanwhile") from error


def _described(error: Exception) -> str:
    return printable(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)


def _read_body(response: httpx2.Response) -> bytes | None:
    status = response.status_code
    if status >= 500 or status == 429:
        raise AttemptFailed(f"status {status}")
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
