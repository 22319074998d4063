"""Cross-origin requests (CORS): the headers that let pages of the configured origins call this API."""

from collections.abc import Iterable, Sequence
from typing import Final

from flask import Request, Response

_REQUEST_HEADERS: Final = "Authorization, Content-Type, Idempotency-Key, If-None-Match, X-Correlation-Id"
_EXPOSED_HEADERS: Final = "X-Correlation-Id, Retry-After, Idempotency-Replayed, ETag, Seat-Layout"
_PREFLIGHT_SECONDS: Final = "600"


class Cors:
    """Cross-origin headers for pages of the configured origins, and for no others.

    Cookies are never allowed: tokens travel in a header. Origins are compared as browsers write them: scheme, host and,
    unless it is the scheme's default, port.
    """

    def __init__(self, origins: Iterable[str]) -> None:
        self.origins = frozenset(origins)

    def preflight(self, request: Request, methods: Iterable[str]) -> Response | None:
        """The response to a preflight of an allowed origin, for a path with these `methods`; None for anything else."""
        is_preflight = request.method == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in request.environ
        if not is_preflight or request.environ.get("HTTP_ORIGIN") not in self.origins:
            return None
        response = Response(status=204)
        del response.headers["Content-Type"]
        response.headers["Access-Control-Allow-Methods"] = ", ".join(sorted(methods))
        response.headers["Access-Control-Allow-Headers"] = _REQUEST_HEADERS
        response.headers["Access-Control-Max-Age"] = _PREFLIGHT_SECONDS
        return response

    def headers_for(self, origin: str | None) -> Sequence[tuple[str, str]]:
        """The headers of a response to a page of this origin; None: the caller is not a page."""
        if not self.origins:
            return ()
        if origin not in self.origins:
            return (("Vary", "Origin"),)
        return (
            ("Vary", "Origin"),
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Expose-Headers", _EXPOSED_HEADERS),
        )
