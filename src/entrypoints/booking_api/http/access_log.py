"""The access log: one line and the metrics of every response."""

import logging
from hashlib import blake2b
from http import HTTPStatus
from time import monotonic
from typing import Any, Final
from uuid import UUID

import structlog
from attrs import frozen
from flask import Response

from booking_api.http.flask_app import current_api_request
from booking_api.http.metrics import RESERVE_ENDPOINT, HttpMetrics

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""The methods that metrics, log and traces name; any other is OTHER there."""
ALIVE: Final = "/healthz"
"""The route whose response waits for nothing."""
READY: Final = "/readyz"
"""The route of the readiness probe."""
PROBES: Final = frozenset({ALIVE, READY, "/metrics"})
"""The routes that orchestrators and monitoring poll."""
REFRESH_SECONDS: Final = 1.0
"""A process of several cannot refresh its share of the metrics when it is scraped, so it does with its requests."""
_LONGEST_REASON: Final = 300  # characters

_log = structlog.get_logger("booking_api.access")


@frozen(kw_only=True)
class ResponseRecord:
    """One response. `route` is the template of the path, never the path itself; `reason` is for the log alone.

    `outcome` is that of a reservation; empty for anything else. `waited`: the time in seconds until the application got
    the request, if known. `gateway_response`: which one it is, if the gateway sent it.
    """

    method: str
    route: str
    status: int
    seconds: float
    correlation_id: str
    code: str = ""
    reason: str = ""
    user_id: str | None = None
    booking_id: UUID | None = None
    outcome: str = ""
    waited: float | None = None
    gateway_response: str = ""


class AccessLog:
    """A logger and counter of responses. Safe to use from many threads.

    Every value in a line is the service's own or was checked: no caller can write a line break into it.
    """

    def __init__(self, metrics: HttpMetrics, pseudonym_key: bytes) -> None:
        self._metrics = metrics
        self._key = pseudonym_key
        self._refresh_due = 0.0
        self._bound: tuple[Any, Any] = (None, None)

    def record_response(self, response: Response) -> Response:
        """Flask's `after_request`: log and count the response to the current request."""
        request = current_api_request()
        self.record(
            ResponseRecord(
                method=request.method,
                route=request.route,
                status=response.status_code,
                seconds=monotonic() - request.began,
                waited=request.waited,
                correlation_id=request.correlation_id,
                code=request.error_code,
                reason=request.error_reason,
                user_id=request.user_id,
                booking_id=request.booking_id,
                outcome=(request.error_code or request.outcome) if request.endpoint == RESERVE_ENDPOINT else "",
            )
        )
        return response

    def count(self, record: ResponseRecord) -> None:
        """Add the response to the metrics alone."""
        metrics, method = self._metrics, _label(record.method)
        metrics.requests[method, record.route, str(record.status), record.code].inc()
        metrics.seconds[method, record.route].observe(record.seconds)
        if record.outcome:
            metrics.reservations[record.outcome,].inc()
        if record.waited is not None:
            metrics.waits.observe(record.waited)
        if record.gateway_response:
            metrics.gateway_responses[record.gateway_response,].inc()
        now = monotonic()
        if now >= self._refresh_due:
            self._refresh_due = now + REFRESH_SECONDS
            metrics.refresh()

    def record(self, record: ResponseRecord) -> None:
        """Add the response to the metrics and to the log."""
        self.count(record)
        line: dict[str, object] = {
            "method": _label(record.method),
            "route": record.route,
            "status": record.status,
            "duration_ms": round(record.seconds * 1000, 2),
            "correlation_id": record.correlation_id,
        }
        if record.code:
            line["code"] = record.code
        if record.reason:
            line["reason"] = " ".join(record.reason.split())[:_LONGEST_REASON]
        if record.user_id is not None:
            line["user"] = self.pseudonym(record.user_id)
        if record.booking_id is not None:
            line["booking_id"] = str(record.booking_id)
        self._logger().log(_level_of(record.route, record.status), "request", **line)

    def _logger(self) -> Any:
        """The bound logger of structlog's present configuration; to bind one takes a fifth of the time of a line."""
        configured = structlog.get_config()["processors"]
        known, logger = self._bound
        if known is not configured:
            logger = _log.bind()
            self._bound = configured, logger
        return logger

    def pseudonym(self, user_id: str) -> str:
        """16 hexadecimal digits that stand for the user; without the key they do not lead back to the id."""
        return blake2b(user_id.encode(), key=self._key, digest_size=8).hexdigest()


def _label(method: str) -> str:
    return method if method in METHODS else "OTHER"


def _level_of(route: str, status: int) -> int:
    """DEBUG for a successful probe; WARNING and ERROR for failures of the service."""
    if status >= 500:
        return logging.WARNING if status == HTTPStatus.SERVICE_UNAVAILABLE else logging.ERROR
    return logging.DEBUG if route in PROBES else logging.INFO
