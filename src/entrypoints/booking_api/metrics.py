"""The API's own figures. Labels come from closed sets only, so that no caller can make up new ones."""

from collections.abc import Callable
from typing import Final, TypeVar

from prometheus_client import CollectorRegistry, Counter, Histogram

T = TypeVar("T")

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class HttpMetrics:
    """Counts requests and reservations in `registry`. Safe to use from many threads.

    - `booking_http_requests_total{method, route, status, code}`: `route` is the template, empty where there is none;
      `code` is the error's, empty for a success
    - `booking_http_request_duration_seconds{method, route}`
    - `booking_reservations_total{outcome}`: CREATED, REPLAYED, or the code of the refusal
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        requests = Counter(
            "booking_http_requests", "Requests answered", ("method", "route", "status", "code"), registry=registry
        )
        seconds = Histogram(
            "booking_http_request_duration_seconds",
            "Time from the request's arrival in the application to its answer",
            ("method", "route"),
            buckets=_SECONDS,
            registry=registry,
        )
        reservations = Counter(
            "booking_reservations", "Reservations asked for, by outcome", ("outcome",), registry=registry
        )
        # Finding a child by its labels costs more than counting does, so each is found once.
        self._requests = _Children(requests.labels)
        self._seconds = _Children(seconds.labels)
        self._reservations = _Children(reservations.labels)

    def count_request(self, method: str, route: str, status: int, code: str, seconds: float) -> None:
        """One request was answered."""
        self._requests[method, route, str(status), code].inc()
        self._seconds[method, route].observe(seconds)

    def count_reservation(self, outcome: str) -> None:
        """One reservation was asked for and answered."""
        self._reservations[outcome,].inc()


class _Children(dict[tuple[str, ...], T]):
    """The children of one metric by their labels, made when they are first asked for."""

    def __init__(self, make: Callable[..., T]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, labels: tuple[str, ...]) -> T:
        child = self[labels] = self._make(*labels)
        return child
