"""Answers to requests that never reach a route: a server in front of the application turns them away (ADR 0016)."""

from collections.abc import Mapping
from typing import Final

from booking_api.correlation import HEADER, correlation_in
from booking_api.cors import Cors
from booking_api.envelope import failed
from booking_api.errors import STATUS
from booking_api.finishing import SAME_FOR_ALL, method_label
from booking_api.metrics import HttpMetrics
from booking_core import ServiceBusy

EarlyAnswer = tuple[int, list[tuple[str, str]], bytes]

_BUSY: Final = failed(ServiceBusy.code, ServiceBusy.message)
_LATE: Final = failed("VALIDATION_FAILED", "The body did not arrive in time")
_BROKEN: Final = failed("INTERNAL_ERROR", "Something went wrong; the correlation id leads to it")


class EarlyAnswers:
    """Status, headers and body of each, as a route would give them; counted like any other. Not logged one by one.

    `headers` are those of the request, their names in lower case.
    """

    def __init__(self, cors: Cors, metrics: HttpMetrics) -> None:
        self._cors, self._metrics = cors, metrics

    def busy(self, method: str, headers: Mapping[str, str], seconds: float) -> EarlyAnswer:
        """SERVICE_BUSY after `seconds`, with `Retry-After`."""
        retry = ("Retry-After", str(ServiceBusy.retry_after))
        return self._answer(ServiceBusy.code, _BUSY, method, headers, seconds, retry)

    def late_body(self, method: str, headers: Mapping[str, str], seconds: float) -> EarlyAnswer:
        """VALIDATION_FAILED: the body has not arrived. What comes of it later must not be taken for a request."""
        return self._answer("VALIDATION_FAILED", _LATE, method, headers, seconds, ("Connection", "close"))

    def broken(self, method: str, headers: Mapping[str, str], seconds: float) -> EarlyAnswer:
        """INTERNAL_ERROR: the application itself gave no answer."""
        return self._answer("INTERNAL_ERROR", _BROKEN, method, headers, seconds)

    def _answer(
        self, code: str, body: bytes, method: str, headers: Mapping[str, str], seconds: float, *more: tuple[str, str]
    ) -> EarlyAnswer:
        self._metrics.count_request(method_label(method), "", STATUS[code], code, seconds)
        said = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            (HEADER, correlation_in(headers.get("x-correlation-id"))),
            *SAME_FOR_ALL,
            *self._cors.headers_for(headers.get("origin")),
            *more,
        ]
        return STATUS[code], said, body
