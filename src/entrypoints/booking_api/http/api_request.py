"""One request, and what will be said of it when it has been answered."""

from time import perf_counter
from typing import Any, cast
from uuid import UUID

from flask import Request, request
from structlog.contextvars import bind_contextvars

from booking_api.http.correlation import correlation_of
from booking_api.http.gateway_environ import ARRIVED


class ApiRequest(Request):
    """Flask's request, which also gathers what the log and the metrics want to know.

    `correlation_id` is there from the first moment on. `began` is on a clock that never jumps; `waited` are the seconds
    from then until the application had it, None where no server in front has said. `may_be_kept`: the answer is the
    same for everybody and has an ETag, so that callers may keep it and ask whether it still holds.
    """

    may_be_kept = False

    def __init__(self, environ: dict[str, Any], populate_request: bool = True, shallow: bool = False) -> None:
        super().__init__(environ, populate_request, shallow)
        arrived: float | None = environ.get(ARRIVED)
        now = perf_counter()
        self.began = now if arrived is None else arrived
        self.waited = None if arrived is None else now - arrived
        self.correlation_id = correlation_of(environ)
        # For all that this thread logs until its next request, and whoever logs it.
        bind_contextvars(correlation_id=self.correlation_id)
        self.user_id: str | None = None
        self.booking_id: UUID | None = None
        self.replayed = False
        self.error_code = ""
        self.error_reason = ""

    @property
    def route(self) -> str:
        """The template of its path, never the path itself; empty if there is no such route."""
        return self.url_rule.rule if self.url_rule is not None else ""


def current_api_request() -> ApiRequest:
    """The exchange that this thread is busy with."""
    # The object itself: each look through Flask's proxy costs more than the look does.
    return cast(ApiRequest, request._get_current_object())  # type: ignore[attr-defined]
