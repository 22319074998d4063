"""Every metric that `serve` and `worker` expose to Prometheus: its name, what it counts, and its labels.

The code makes its metrics from these specs, `docs/metrics.md` is generated from them, and dashboard and alerts are
checked against them. Label values come from closed sets, so that no client can create series.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

from attrs import field, frozen
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily


class Kind(Enum):
    """A counter only grows, a gauge is a current value, a histogram counts observations by size."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


def _no_labels() -> Mapping[str, str]:
    return MappingProxyType({})


@frozen
class MetricSpec:
    """One metric. `name` includes unit and `_total`; `labels` explains each label; `of`: the commands that have it."""

    name: str
    kind: Kind
    help: str
    labels: Mapping[str, str] = field(factory=_no_labels)
    of: tuple[str, ...] = ("serve",)
    buckets: tuple[float, ...] = ()

    @property
    def series(self) -> tuple[str, ...]:
        """The names of its time series."""
        if self.kind is Kind.HISTOGRAM:
            return f"{self.name}_bucket", f"{self.name}_sum", f"{self.name}_count"
        return (self.name,)

    def counter(self, registry: CollectorRegistry) -> Counter:
        """A new counter in `registry`."""
        return Counter(self.name.removesuffix("_total"), self.help, tuple(self.labels), registry=registry)

    def gauge(self, registry: CollectorRegistry) -> Gauge:
        """A new gauge; the values of several processes are added up."""
        return Gauge(self.name, self.help, tuple(self.labels), registry=registry, multiprocess_mode="livesum")

    def histogram(self, registry: CollectorRegistry) -> Histogram:
        """A new histogram."""
        return Histogram(self.name, self.help, tuple(self.labels), buckets=self.buckets, registry=registry)

    def family(self, *values: tuple[tuple[str, ...], float]) -> CounterMetricFamily | GaugeMetricFamily:
        """The metric family for a collector: values, each with its labels."""
        family_class = CounterMetricFamily if self.kind is Kind.COUNTER else GaugeMetricFamily
        family = family_class(self.name.removesuffix("_total"), self.help, labels=tuple(self.labels))
        for labels, value in values:
            family.add_metric(labels, value)
        return family


# With the limits of 100, 250 and 500 ms of the objectives, so that the share of requests below each is exact.
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_WAITS: Final = (0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0)
_C, _G, _H = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM
_METHOD: Final = "GET, POST, …; OTHER for one that HTTP does not know"
_ROUTE: Final = "the template of the path; empty where there is none, or the request did not get that far"
_TASK: Final = {"task": "relay, consumer, expire, closure, prune, refunds, backlogs, bus"}
_BOTH: Final = ("serve", "worker")
_WORKER: Final = ("worker",)

REQUESTS: Final = MetricSpec(
    "booking_http_requests_total", _C, "Requests answered",
    {"method": _METHOD, "route": _ROUTE, "status": "of HTTP", "code": "of the error; empty for a success"},
)  # fmt: skip
REQUEST_SECONDS: Final = MetricSpec(
    "booking_http_request_duration_seconds", _H, "From a request's arrival with all of its body to its answer",
    {"method": _METHOD, "route": _ROUTE}, buckets=_SECONDS,
)  # fmt: skip
RESERVATIONS: Final = MetricSpec(
    "booking_reservations_total", _C, "Reservations requested, except those rejected for too long a wait",
    {"outcome": "CREATED, REPLAYED (by idempotency key), or the code of the refusal"},
)  # fmt: skip
GATEWAY_RESPONSES: Final = MetricSpec(
    "booking_front_answers_total", _C, "Requests answered before they reached the application",
    {"answer": "busy (would have waited too long), taken (its seats are known to be taken), late_body, "
     "bad_host, broken, stopping (readiness probe of a service that stops)"},
)  # fmt: skip
QUEUE_WAITS: Final = MetricSpec(
    "booking_front_wait_seconds", _H, "How long requests waited, after their arrival, for the application",
    buckets=_WAITS,
)  # fmt: skip
GROUP_SIZES: Final = MetricSpec(
    "booking_group_size", _H, "Reservations that shared a transaction", buckets=(1, 2, 4, 8, 16, 32, 64)
)
GROUP_SECONDS: Final = MetricSpec(
    "booking_group_duration_seconds", _H, "From the start of a group to its end in the database", buckets=_SECONDS
)
DEFERRED_RESERVATIONS: Final = MetricSpec(
    "booking_group_deferred_total", _C, "Members of groups that were reserved alone after all",
    {"reason": "user_locked, seat_locked_or_unknown, event_unknown, catalog_stale, overdue_hold, idempotency_key, "
     "response_failed, write_failed"},
)  # fmt: skip
GROUP_FAILURES: Final = MetricSpec(
    "booking_group_failures_total", _C, "Groups whose transaction failed",
    {"failure": "repeated (a conflict: it runs again), split (the write failed: its halves run), failed (each member "
     "is answered 503), commit_unknown (the reply to COMMIT was lost: it is looked up)"},
)  # fmt: skip
CONNECTIONS: Final = MetricSpec(
    "booking_db_connections", _G, "Database connections that may be open at most, over all processes", of=_BOTH
)
CONNECTION_SECONDS: Final = MetricSpec(
    "booking_db_connection_use_seconds_total", _C, "Total time in which connections were in use", of=_BOTH
)
CONNECTION_WAITS: Final = MetricSpec(
    "booking_db_connection_waits_total", _C, "Waits of more than 1 ms for a connection to be free or opened", of=_BOTH
)
CONNECTION_WAIT_SECONDS: Final = MetricSpec(
    "booking_db_connection_wait_seconds_total", _C, "Time of these waits", of=_BOTH
)
CONNECTIONS_REFUSED: Final = MetricSpec(
    "booking_db_connections_refused_total", _C, "Waits that ended without a connection", of=_BOTH
)
BREAKER: Final = MetricSpec(
    "booking_catalog_breaker_open", _G, "Processes whose circuit breaker keeps the Catalog cut off, half-open included"
)

PASSES: Final = MetricSpec(
    "booking_task_passes_total", _C, "Passes of each task", {**_TASK, "outcome": "done, failed"}, of=_WORKER
)
PASS_SECONDS: Final = MetricSpec(
    "booking_task_pass_seconds_total", _C, "Time of these passes; the consumer's waiting for messages included",
    _TASK, of=_WORKER,
)  # fmt: skip
LAST_DONE: Final = MetricSpec(
    "booking_task_last_done_timestamp_seconds", _G, "When a pass last ended well; none before the first", _TASK,
    of=_WORKER,
)  # fmt: skip
PUBLISHED: Final = MetricSpec(
    "booking_events_published_total",
    _C,
    "Events published; an event that two workers published is counted twice",
    of=_WORKER,
)
CONSUMED: Final = MetricSpec(
    "booking_messages_consumed_total", _C, "Messages of the Payment Service, by outcome",
    {"outcome": "applied, unchanged, skipped (of another type), dead"}, of=_WORKER,
)  # fmt: skip
EVENT_IDS_REUSED: Final = MetricSpec(
    "booking_event_ids_reused_total", _C, "Messages whose eventId names another message; they are dead, too", of=_WORKER
)
EXPIRED: Final = MetricSpec("booking_bookings_expired_total", _C, "Overdue holds ended by the expiry job", of=_WORKER)
RELEASED: Final = MetricSpec("booking_seats_released_total", _C, "Seats of these holds", of=_WORKER)

HOLDS: Final = MetricSpec("booking_holds", _G, "Bookings on hold, whose deadline is ahead", of=_WORKER)
OVERDUE: Final = MetricSpec(
    "booking_holds_overdue", _G, "Holds past their deadline that the expiry job has not ended yet", of=_WORKER
)
OVERDUE_AGE: Final = MetricSpec(
    "booking_holds_overdue_oldest_seconds", _G, "How long the first of them is overdue", of=_WORKER
)
OUTBOX: Final = MetricSpec("booking_outbox_events", _G, "Stored events that wait to be published", of=_WORKER)
OUTBOX_AGE: Final = MetricSpec("booking_outbox_oldest_seconds", _G, "Age of the oldest of them", of=_WORKER)
REFUNDS: Final = MetricSpec(
    "booking_refunds_unanswered", _G, "Refunds requested more than an hour ago and not answered", of=_WORKER
)
REFUNDS_AGE: Final = MetricSpec(
    "booking_refunds_unanswered_oldest_seconds", _G, "Age of the oldest without an answer, however young", of=_WORKER
)
CLOSURES: Final = MetricSpec(
    "booking_closures_open", _G, "Cancelled events whose bookings may not all have ended", of=_WORKER
)
CLOSURES_AGE: Final = MetricSpec("booking_closures_open_oldest_seconds", _G, "How long the oldest is open", of=_WORKER)
DEAD_LETTERS: Final = MetricSpec("booking_dead_letters", _G, "Dead letters that no replay has taken", of=_WORKER)
DEAD_LETTERS_AGE: Final = MetricSpec("booking_dead_letters_oldest_seconds", _G, "Age of the oldest of them", of=_WORKER)
LAG: Final = MetricSpec(
    "booking_consumer_lag_messages", _G, "Messages of the Payment Service that wait for us", of=_WORKER
)
LAG_AGE: Final = MetricSpec("booking_consumer_lag_oldest_seconds", _G, "Age of the oldest of them", of=_WORKER)

METRIC_SPECS: Final = tuple(each for each in list(globals().values()) if isinstance(each, MetricSpec))
"""All specs, in the order above."""
