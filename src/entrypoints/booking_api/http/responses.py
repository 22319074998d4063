"""Responses: their headers, and cross-origin requests. `rendering` makes the bodies."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from flask import Request, Response

from booking_api.http.rendering import success_body
from booking_api.http.request import CORRELATION_HEADER, current_api_request

REPLAYED_HEADER: Final = "Idempotency-Replayed"
COMMON_HEADERS: Final = (("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-store"))
"""Headers of every response, except those that clients may cache."""

_CACHEABLE: Final = (("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-cache"))
_REQUEST_HEADERS: Final = "Authorization, Content-Type, Idempotency-Key, X-Correlation-Id"
_EXPOSED_HEADERS: Final = "X-Correlation-Id, Retry-After, Idempotency-Replayed"
_PREFLIGHT_SECONDS: Final = "600"


def json_response(body: bytes, status: int = 200) -> Response:
    """A response with a body that is encoded already."""
    return Response(body, status, content_type="application/json")


def success(data: Any, status: int = 200, **beside: Any) -> Response:
    """A response that carries `data`."""
    return json_response(success_body(data, **beside), status)


class Cors:
    """Cross-origin headers for pages of the configured origins, and for no others.

    Cookies are never allowed: tokens travel in a header. Origins are compared as browsers write them: scheme, host and,
    unless it is the scheme's default, port.
    """

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = frozenset(origins)

    def preflight(self, request: Request, methods: Iterable[str]) -> Response | None:
        """The response to a preflight of an allowed origin, for a path with these `methods`; None for anything else."""
        is_preflight = request.method == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in request.environ
        if not is_preflight or request.environ.get("HTTP_ORIGIN") not in self._origins:
            return None
        response = Response(status=204)
        del response.headers["Content-Type"]
        response.headers["Access-Control-Allow-Methods"] = ", ".join(sorted(methods))
        response.headers["Access-Control-Allow-Headers"] = _REQUEST_HEADERS
        response.headers["Access-Control-Max-Age"] = _PREFLIGHT_SECONDS
        return response

    def headers_for(self, origin: str | None) -> Sequence[tuple[str, str]]:
        """The headers of a response to a page of this origin; None: the caller is not a page."""
        if not self._origins:
            return ()
        if origin not in self._origins:
            return (("Vary", "Origin"),)
        return (
            ("Vary", "Origin"),
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Expose-Headers", _EXPOSED_HEADERS),
        )

    def add_common_headers(self, response: Response) -> Response:
        """Flask's `after_request`: add the headers that every response has, errors included."""
        request = current_api_request()
        headers = response.headers
        headers.add(CORRELATION_HEADER, request.correlation_id)
        for name, text in _CACHEABLE if request.may_be_cached else COMMON_HEADERS:
            headers.add(name, text)
        for name, text in self.headers_for(request.environ.get("HTTP_ORIGIN")):
            headers.add(name, text)
        return response
