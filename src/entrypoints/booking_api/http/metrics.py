"""The API's own figures (see `figures` for what each of them is)."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from prometheus_client import CollectorRegistry

from booking_api.http.initial_series import EARLY, OUTCOMES, first_requests
from booking_telemetry import metric_specs

T = TypeVar("T")


class HttpMetrics:
    """Counts requests and reservations in `registry`. Safe to use from many threads.

    `look` is called now and then, by whoever is answered then: see `PoolMetrics.refresh_if_due`.
    """

    def __init__(self, registry: CollectorRegistry, look: Callable[[], None] = lambda: None) -> None:
        # Finding a child by its labels costs more than counting does, so each is found once.
        self._requests = _Children(metric_specs.REQUESTS.counter(registry).labels)
        self._seconds = _Children(metric_specs.REQUEST_SECONDS.histogram(registry).labels)
        self._reservations = _Children(metric_specs.RESERVATIONS.counter(registry).labels)
        self._early = _Children(metric_specs.GATEWAY_RESPONSES.counter(registry).labels)
        self._waited = metric_specs.QUEUE_WAITS.histogram(registry)
        self._look = look

    def begin(self, routes: Iterable[tuple[str, str, int]]) -> None:
        """Show from now on, at 0, what these routes (method, template, status of success) will usually count."""
        for labels in first_requests(routes):
            self._requests[labels]
            self._seconds[labels[:2]]
        for outcome in OUTCOMES:
            self._reservations[outcome,]
        for answer in EARLY:
            self._early[answer,]

    def count_request(self, method: str, route: str, status: int, code: str, seconds: float) -> None:
        """One request was answered."""
        self._requests[method, route, str(status), code].inc()
        self._seconds[method, route].observe(seconds)
        self._look()

    def count_reservation(self, outcome: str) -> None:
        """One reservation was asked for and answered."""
        self._reservations[outcome,].inc()

    def count_early(self, answer: str) -> None:
        """One request was answered before it reached the application."""
        self._early[answer,].inc()

    def count_wait(self, seconds: float) -> None:
        """One request waited so long before the application had it."""
        self._waited.observe(seconds)


class _Children(dict[tuple[str, ...], T]):
    """The children of one metric by their labels, made when they are first asked for."""

    def __init__(self, make: Callable[..., T]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, labels: tuple[str, ...]) -> T:
        child = self[labels] = self._make(*labels)
        return child
