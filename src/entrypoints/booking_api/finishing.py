"""The last step of every request: the headers that all answers have, one line in the log, and the figures."""

import logging
from hashlib import blake2b
from http import HTTPStatus
from time import perf_counter
from typing import Final

import structlog
from flask import Response

from booking_api.bookings import CREATE
from booking_api.correlation import HEADER
from booking_api.cors import Cors
from booking_api.exchange import Exchange, current_exchange
from booking_api.metrics import HttpMetrics

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_LONGEST_REASON: Final = 300
_PROBES: Final = frozenset({"/healthz", "/readyz", "/metrics"})
SAME_FOR_ALL: Final = (("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-store"))
"""Headers that every answer has."""

_log = structlog.get_logger("booking_api.access")


def method_label(method: str) -> str:
    """The method as figures and log name it; those that HTTP does not know are OTHER."""
    return method if method in _METHODS else "OTHER"


def _level_of(route: str, status: int) -> int:
    """A probe that is answered is no news; that we were busy, or failed, is."""
    if status >= 500:
        return logging.WARNING if status == HTTPStatus.SERVICE_UNAVAILABLE else logging.ERROR
    return logging.DEBUG if route in _PROBES else logging.INFO


class Finisher:
    """Called once for every answer. What it logs is ours or was checked: no caller can write a line break into it."""

    def __init__(self, cors: Cors, metrics: HttpMetrics, pseudonym_key: bytes) -> None:
        self._cors = cors
        self._metrics = metrics
        self._key = pseudonym_key

    def finish(self, answer: Response) -> Response:
        """The same answer with its headers, counted and logged."""
        exchange = current_exchange()
        headers = answer.headers
        headers.add(HEADER, exchange.correlation_id)
        for name, text in SAME_FOR_ALL:
            headers.add(name, text)
        self._cors.mark(exchange, answer)
        method = method_label(exchange.method)
        seconds = perf_counter() - exchange.began
        self._metrics.count_request(method, exchange.route, answer.status_code, exchange.error_code, seconds)
        if exchange.endpoint == CREATE:
            self._metrics.count_reservation(exchange.error_code or ("REPLAYED" if exchange.replayed else "CREATED"))
        self._write_line(exchange, method, answer.status_code, seconds)
        return answer

    def _write_line(self, exchange: Exchange, method: str, status: int, seconds: float) -> None:
        line: dict[str, object] = {
            "method": method,
            "route": exchange.route,
            "status": status,
            "duration_ms": round(seconds * 1000, 2),
            "correlation_id": exchange.correlation_id,
        }
        if exchange.error_code:
            line["code"] = exchange.error_code
        if exchange.error_reason:
            line["reason"] = " ".join(exchange.error_reason.split())[:_LONGEST_REASON]
        if exchange.user_id is not None:
            line["user"] = self.pseudonym(exchange.user_id)
        if exchange.booking_id is not None:
            line["booking_id"] = str(exchange.booking_id)
        _log.log(_level_of(exchange.route, status), "request", **line)

    def pseudonym(self, user_id: str) -> str:
        """16 hexadecimal digits that stand for the user, and lead back to the id for nobody without the key."""
        return blake2b(user_id.encode(), key=self._key, digest_size=8).hexdigest()
