"""Flask reduced to what this API uses: requests, routes behind a token, JSON responses and their common headers.

Every header that the API uses has a longest length: tokens 8192 characters (`auth.verifier`), correlation ids 128,
idempotency keys 255 (`bodies`).
"""

import re
from collections.abc import Callable, Sequence
from threading import BoundedSemaphore
from time import monotonic
from typing import Any, Concatenate, Final, ParamSpec, TypeVar, cast
from uuid import UUID, uuid4

from flask import Flask, Request, Response, current_app, request
from flask.sessions import NullSession, SessionInterface
from msgspec import Struct
from structlog.contextvars import bind_contextvars
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.routing import MapAdapter

from booking_api.auth.tokens import Identity
from booking_api.auth.verifier import TokenVerifier
from booking_api.http.bodies import Body, check_content_type, success_body
from booking_api.http.cors import Cors
from booking_core import ServiceBusy

P = ParamSpec("P")
T = TypeVar("T", bound=Struct)

Header = tuple[str, str]
"""Name and value."""

CORRELATION_HEADER: Final = "X-Correlation-Id"
REPLAYED_HEADER: Final = "Idempotency-Replayed"
RETRY_AFTER: Final = "Retry-After"
LAYOUT_HEADER: Final = "Seat-Layout"
_UNCACHED: Final = (("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-store"))
_CACHEABLE: Final = (("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-cache"))
LONGEST_BODY: Final = 64 * 1024  # bytes

# Entries of the WSGI environ that a gateway in front of the application may set or read. All of them may be missing.
ARRIVED: Final = "booking.arrived"
"""When the request arrived, on `time.monotonic`."""
DECODED_BODY: Final = "booking.decoded_body"
"""The body of a reservation as `bodies.decode_create_booking` returned it; the route does not decode it again."""
KNOWN_TAKEN: Final = "booking.known_taken"
"""Seats (a frozenset of ids) that had a live, committed claim at a moment after this request had arrived."""
FOUND_TAKEN: Final = "booking.found_taken"
"""Set by the application: the requested seats with a live, committed claim now, those just reserved included."""
SEATS_BUSY: Final = "booking.seats_busy"
"""Set by the application: whether the locks of the requested seats could not be acquired in time."""

# A slow upload occupies a thread, and the WSGI server sets no time limit: some threads must never read a body.
_BODY_WAIT_SECONDS: Final = 0.05
_BODIES: Final = "booking_bodies"
# Safe in every log, header and message: no blanks, no line breaks, no quotes.
_CORRELATION_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")


class ApiRequest(Request):
    """Flask's request with the data that the access log and the metrics need.

    `outcome` is that of a reservation that ended without an error. `began` is on a monotonic clock. `waited` is the
    time in seconds from then until the application got the request, None without a gateway. `may_be_cached`: the
    response is the same for every caller and has an ETag, so clients may cache it and revalidate.
    """

    may_be_cached = False

    def __init__(self, environ: dict[str, Any], populate_request: bool = True, shallow: bool = False) -> None:
        super().__init__(environ, populate_request, shallow)
        arrived: float | None = environ.get(ARRIVED)
        now = monotonic()
        self.began = now if arrived is None else arrived
        self.waited = None if arrived is None else now - arrived
        self.correlation_id = correlation_id(environ.get("HTTP_X_CORRELATION_ID"))
        # For every line that this thread logs until its next request, from any module.
        bind_contextvars(correlation_id=self.correlation_id)
        self.user_id: str | None = None
        self.booking_id: UUID | None = None
        self.outcome = ""
        self.error_code = ""
        self.error_reason = ""

    @property
    def route(self) -> str:
        """The template of the path, never the path itself; empty if no route matches."""
        return self.url_rule.rule if self.url_rule is not None else ""

    def decoded(self, decode: Callable[[bytes], Body[T]]) -> Body[T]:
        """The body, decoded by the gateway or else by `decode`. Raises InvalidRequest, and as `body_of`."""
        check_content_type(self.environ.get("CONTENT_TYPE"))
        decoded: Body[T] | None = self.environ.get(DECODED_BODY)
        return decode(body_of(self)) if decoded is None else decoded


class _NoSessions(SessionInterface):
    """There are no cookies here: one empty session, which cannot be written to, serves all requests."""

    def __init__(self) -> None:
        self._session = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:
        return self._session


class ApiFlask(Flask):
    """Flask without sessions, host matching and redirects to similar paths, and with routes behind a token."""

    request_class = ApiRequest
    session_interface = _NoSessions()

    def __init__(self, name: str, verifier: TokenVerifier, cors: Cors) -> None:
        super().__init__(name, static_folder=None, template_folder=None)
        self.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
        self.url_map.merge_slashes = False
        self._verifier, self._cors = verifier, cors

    def add_guarded(
        self, method: str, path: str, name: str, view: Callable[Concatenate[ApiRequest, Identity, P], Response]
    ) -> None:
        """Route `method` at `path` to `view`, which is reached with a valid token only and gets its identity.

        An unknown path is 404 and an unknown method 405 with or without a token: the API is public, its data is not.
        """

        def guarded(*args: P.args, **kwargs: P.kwargs) -> Response:
            request = current_api_request()
            identity = self._verifier.verify(request.environ.get("HTTP_AUTHORIZATION"))
            request.user_id = identity.user_id
            return view(request, identity, *args, **kwargs)

        self.add_url_rule(path, name, guarded, methods=[method])

    def add_common_headers(self, response: Response) -> Response:
        """For `after_request`: add the headers that every response has, errors included."""
        request = current_api_request()
        common = common_headers(
            request.correlation_id, self._cors, request.environ.get("HTTP_ORIGIN"), may_be_cached=request.may_be_cached
        )
        return with_headers(response, common)

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Match routes by method and path alone, whatever the caller's Host header is."""
        if request is None:
            return super().create_url_adapter(None)
        environ = request.environ
        # Undecoded: routes and ids are ASCII, and other bytes match no route either way.
        path = environ.get("PATH_INFO", "")
        return MapAdapter(self.url_map, "", "/", "", "http", path, environ["REQUEST_METHOD"])

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function itself: no view is a coroutine, and Flask would inspect each of them at every request."""
        return func


def current_api_request() -> ApiRequest:
    """The request that this thread is handling."""
    # The object itself: each attribute access through Flask's proxy costs more than the access itself.
    return cast(ApiRequest, request._get_current_object())  # type: ignore[attr-defined]


def correlation_id(header: str | None) -> str:
    """The caller's correlation id, or a new one if the header is absent or malformed."""
    return header if header is not None and _CORRELATION_ID.fullmatch(header) else str(uuid4())


def common_headers(
    correlation_id: str, cors: Cors, origin: str | None, *, may_be_cached: bool = False
) -> Sequence[Header]:
    """The last headers of every response, errors included. `origin` is the header of the request."""
    headers = (CORRELATION_HEADER, correlation_id), *(_CACHEABLE if may_be_cached else _UNCACHED)
    return (*headers, *cors.headers_for(origin)) if cors.origins else headers


def json_headers(body: bytes, more: Sequence[Header], common: Sequence[Header]) -> list[Header]:
    """All headers of a response with this JSON body, in the order in which Flask writes them."""
    return [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *more, *common]


def limit_bodies(app: Flask, at_once: int) -> None:
    """Limit the length of bodies, and to `at_once` the number of requests that read one at the same time.

    The limit that Flask gets is one byte longer, so that `body_of` can see that a body is too long.
    """
    app.extensions[_BODIES] = BoundedSemaphore(at_once)
    app.config["MAX_CONTENT_LENGTH"] = LONGEST_BODY + 1


def body_of(request: Request) -> bytes:
    """Read the whole body.

    Raises RequestEntityTooLarge if it is longer than 64 KB, whether or not it declares its length, and ServiceBusy if
    too many bodies arrive slowly.
    """
    reading: BoundedSemaphore = current_app.extensions[_BODIES]
    if not reading.acquire(timeout=_BODY_WAIT_SECONDS):
        raise ServiceBusy()
    try:
        body = request.get_data(cache=False)
    finally:
        reading.release()
    if len(body) > LONGEST_BODY:
        raise RequestEntityTooLarge()
    return body


def json_response(body: bytes, status: int = 200) -> Response:
    """A response with a body that is encoded already."""
    return Response(body, status, content_type="application/json")


def with_headers(response: Response, headers: Sequence[Header]) -> Response:
    """The same response with more headers, in this order."""
    for name, text in headers:
        response.headers.add(name, text)
    return response


def success(data: Any, status: int = 200, **beside: Any) -> Response:
    """A response that carries `data`."""
    return json_response(success_body(data, **beside), status)
