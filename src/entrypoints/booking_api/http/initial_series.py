"""Which figures of requests are shown from the start, at 0.

Prometheus counts growth from the first value that it sees. A figure that appears with its first event has that event,
and all that come before the next scrape, in none of its rates: an outage would begin, and a rare fault pass, unseen.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from flask import Flask

from booking_api.http.errors import STATUS

_API: Final = "/api/"
# 200 for every other.
_SUCCESS: Final = {"create_booking": 201, "cancel_event": 202}

OUTCOMES: Final = (
    "CREATED",
    "REPLAYED",
    "UNAUTHENTICATED",
    "VALIDATION_FAILED",
    "PAYLOAD_TOO_LARGE",
    "TOO_MANY_SEATS",
    "EVENT_NOT_FOUND",
    "EVENT_NOT_ON_SALE",
    "SEAT_NOT_FOUND",
    "PENDING_LIMIT_REACHED",
    "SEAT_ALREADY_RESERVED",
    "IDEMPOTENCY_KEY_REUSED",
    "IDEMPOTENCY_IN_PROGRESS",
    "SERVICE_BUSY",
    "CATALOG_UNAVAILABLE",
    "INTERNAL_ERROR",
)
"""What becomes of reservations; another code of the table would be a surprise."""
EARLY: Final = ("busy", "taken", "late_body", "broken")
"""Answers to requests that never reach a route."""

Labels = tuple[str, str, str, str]
"""Of a request: method, route, status, code."""


def routes_of(app: Flask) -> Iterator[tuple[str, str, int]]:
    """Method, template and status of success for each route under /api."""
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(_API):
            for method in sorted((rule.methods or set()) - {"HEAD"}):
                yield method, rule.rule, _SUCCESS.get(rule.endpoint, 200)


def first_requests(routes: Iterable[tuple[str, str, int]]) -> Iterator[Labels]:
    """For each of `routes` its success and its failures, and the failures of what does not get that far."""
    for method, route, status in routes:
        yield method, route, str(status), ""
        yield from _failures(method, route)
    for method in ("GET", "POST", "DELETE"):
        yield from _failures(method, "")


def _failures(method: str, route: str) -> Iterator[Labels]:
    return ((method, route, str(status), code) for code, status in STATUS.items() if status >= 500)
