"""Cross-origin requests: allowed for the configured origins, by these headers and methods; for nobody else."""

from collections.abc import Iterable, Sequence
from typing import Final

from flask import Request, Response

_REQUEST_HEADERS: Final = "Authorization, Content-Type, Idempotency-Key, X-Correlation-Id"
_EXPOSED_HEADERS: Final = "X-Correlation-Id, Retry-After, Idempotency-Replayed"
_SECONDS_TO_REMEMBER: Final = "600"


class Cors:
    """Marks answers for browsers. Cookies are never asked for: tokens travel in a header.

    Origins are compared as browsers write them: scheme, host and, unless it is the scheme's own, port.
    """

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = frozenset(origins)

    def preflight(self, request: Request, methods: Iterable[str]) -> Response | None:
        """The answer to a preflight request of an allowed origin, for a path that knows `methods`; else None."""
        asked = "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in request.environ
        if request.method != "OPTIONS" or not asked or request.environ.get("HTTP_ORIGIN") not in self._origins:
            return None
        answer = Response(status=204)
        del answer.headers["Content-Type"]
        answer.headers["Access-Control-Allow-Methods"] = ", ".join(sorted(methods))
        answer.headers["Access-Control-Allow-Headers"] = _REQUEST_HEADERS
        answer.headers["Access-Control-Max-Age"] = _SECONDS_TO_REMEMBER
        return answer

    def mark(self, request: Request, answer: Response) -> None:
        """Let pages of an allowed origin read this answer, errors included."""
        for name, text in self.headers_for(request.environ.get("HTTP_ORIGIN")):
            answer.headers.add(name, text)

    def headers_for(self, origin: str | None) -> Sequence[tuple[str, str]]:
        """What an answer to a page of this origin has to say; None is no page."""
        if not self._origins:
            return ()
        if origin not in self._origins:
            return (("Vary", "Origin"),)
        return (
            ("Vary", "Origin"),
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Expose-Headers", _EXPOSED_HEADERS),
        )
