"""One request, and what will be said of it when it has been answered."""

from time import perf_counter
from typing import Any, cast
from uuid import UUID

from flask import Request, request

from booking_api.correlation import correlation_of
from booking_api.crowd import ARRIVED


class Exchange(Request):
    """Flask's request, which also gathers what the log and the metrics want to know.

    `correlation_id` is there from the first moment on. `began` is on a clock that never jumps.
    """

    def __init__(self, environ: dict[str, Any], populate_request: bool = True, shallow: bool = False) -> None:
        super().__init__(environ, populate_request, shallow)
        self.began: float = environ.get(ARRIVED) or perf_counter()
        self.correlation_id = correlation_of(environ)
        self.user_id: str | None = None
        self.booking_id: UUID | None = None
        self.replayed = False
        self.error_code = ""
        self.error_reason = ""

    @property
    def route(self) -> str:
        """The template of its path, never the path itself; empty if there is no such route."""
        return self.url_rule.rule if self.url_rule is not None else ""


def current_exchange() -> Exchange:
    """The exchange that this thread is busy with."""
    # The object itself: each look through Flask's proxy costs more than the look does.
    return cast(Exchange, request._get_current_object())  # type: ignore[attr-defined]
