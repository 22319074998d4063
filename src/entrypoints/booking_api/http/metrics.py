"""The API's own metrics (`booking_telemetry.metric_specs` describes them), and the initial series at 0.

Prometheus computes growth from the first value that it scrapes. A series that appears with its first event is missing
that event, and all before the next scrape, in every rate: the beginning of an outage, or a rare error, would not show.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from flask import Flask
from prometheus_client import CollectorRegistry

from booking_api.http.errors import STATUS
from booking_telemetry import metric_specs

T = TypeVar("T")

RESERVE_ENDPOINT: Final = "create_booking"
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
"""The outcomes of reservations: every code that a reservation can have."""
GATEWAY_RESPONSES: Final = ("busy", "taken", "late_body", "bad_host", "broken", "stopping")
"""The kinds of responses to requests that never reach a route."""

_API: Final = "/api/"
# 200 for every other.
_SUCCESS: Final = {RESERVE_ENDPOINT: 201, "cancel_event": 202}


class Children(dict[tuple[str, ...], T]):
    """The children of one metric by their labels, made on first use: prometheus-client's lookup costs more."""

    def __init__(self, make: Callable[..., T]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, labels: tuple[str, ...]) -> T:
        child = self[labels] = self._make(*labels)
        return child


class HttpMetrics:
    """The metrics of requests and reservations in `registry`. Safe to use from many threads.

    `refresh` copies the metrics that others count; the access log calls it at most once a second.
    """

    def __init__(self, registry: CollectorRegistry, refresh: Callable[[], None] = lambda: None) -> None:
        self.requests = Children(metric_specs.REQUESTS.counter(registry).labels)
        self.seconds = Children(metric_specs.REQUEST_SECONDS.histogram(registry).labels)
        self.reservations = Children(metric_specs.RESERVATIONS.counter(registry).labels)
        self.gateway_responses = Children(metric_specs.GATEWAY_RESPONSES.counter(registry).labels)
        self.waits = metric_specs.QUEUE_WAITS.histogram(registry)
        self.refresh = refresh

    def create_initial_series(self, app: Flask) -> None:
        """Show at 0 what the routes of `app` usually count."""
        for labels in _first_requests(app):
            self.requests[labels]
            self.seconds[labels[:2]]
        for outcome in OUTCOMES:
            self.reservations[outcome,]
        for kind in GATEWAY_RESPONSES:
            self.gateway_responses[kind,]


_Labels = tuple[str, str, str, str]  # method, route, status, code


def _first_requests(app: Flask) -> Iterator[_Labels]:
    """For each route under /api its success and its failures, and the failures of requests that match no route."""
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(_API):
            for method in sorted((rule.methods or set()) - {"HEAD"}):
                yield method, rule.rule, str(_SUCCESS.get(rule.endpoint, 200)), ""
                yield from _failures(method, rule.rule)
    for method in ("GET", "POST", "DELETE"):
        yield from _failures(method, "")


def _failures(method: str, route: str) -> Iterable[_Labels]:
    return ((method, route, str(status), code) for code, status in STATUS.items() if status >= 500)
