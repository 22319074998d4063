"""What is kept of every answer: one line in the log, and the figures."""

import logging
from hashlib import blake2b
from http import HTTPStatus
from typing import Final
from uuid import UUID

import structlog
from attrs import frozen

from booking_api.http.metrics import HttpMetrics

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Those that figures, log and traces name; whatever else is sent is OTHER there."""
ALIVE: Final = "/healthz"
"""Is answered without waiting for anything."""
PROBES: Final = frozenset({ALIVE, "/readyz", "/metrics"})
"""The routes that orchestrators and monitoring ask again and again."""
_LONGEST_REASON: Final = 300

_log = structlog.get_logger("booking_api.access")


@frozen(kw_only=True)
class ResponseRecord:
    """One answer. `route` is the template of the path, never the path itself; `reason` is for the log alone.

    `outcome` is what became of a reservation; empty for anything else. `waited`: the seconds before the application had
    it, where that is known. `early`: which of the early answers it is, if it is one.
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
    early: str = ""


class AccessLog:
    """What it logs is ours or was checked: no caller can write a line break into it. Safe to use from many threads."""

    def __init__(self, metrics: HttpMetrics, pseudonym_key: bytes) -> None:
        self._metrics = metrics
        self._key = pseudonym_key

    def count(self, answered: ResponseRecord) -> None:
        """In the figures alone."""
        method = _label(answered.method)
        self._metrics.count_request(method, answered.route, answered.status, answered.code, answered.seconds)
        if answered.outcome:
            self._metrics.count_reservation(answered.outcome)
        if answered.waited is not None:
            self._metrics.count_wait(answered.waited)
        if answered.early:
            self._metrics.count_early(answered.early)

    def note(self, answered: ResponseRecord) -> None:
        """In the figures and in the log."""
        self.count(answered)
        line: dict[str, object] = {
            "method": _label(answered.method),
            "route": answered.route,
            "status": answered.status,
            "duration_ms": round(answered.seconds * 1000, 2),
            "correlation_id": answered.correlation_id,
        }
        if answered.code:
            line["code"] = answered.code
        if answered.reason:
            line["reason"] = " ".join(answered.reason.split())[:_LONGEST_REASON]
        if answered.user_id is not None:
            line["user"] = self.pseudonym(answered.user_id)
        if answered.booking_id is not None:
            line["booking_id"] = str(answered.booking_id)
        _log.log(_level_of(answered.route, answered.status), "request", **line)

    def pseudonym(self, user_id: str) -> str:
        """16 hexadecimal digits that stand for the user, and lead back to the id for nobody without the key."""
        return blake2b(user_id.encode(), key=self._key, digest_size=8).hexdigest()


def _label(method: str) -> str:
    """The method as figures and log name it; those that HTTP does not know are OTHER."""
    return method if method in METHODS else "OTHER"


def _level_of(route: str, status: int) -> int:
    """A probe that is answered is no news; that we were busy, or failed, is."""
    if status >= 500:
        return logging.WARNING if status == HTTPStatus.SERVICE_UNAVAILABLE else logging.ERROR
    return logging.DEBUG if route in PROBES else logging.INFO
