"""What the jobs of a worker have done since its start, in Prometheus' text format."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from booking_service.consuming import Consumer
from booking_service.refund_watch import RefundWatch
from booking_service.relaying import Relay
from booking_service.running import Job
from booking_service.sweeping import Sweeper

# Shown from the start, at 0: a rate needs a first value to grow from.
_OUTCOMES: Final = ("applied", "unchanged", "skipped", "dead")


def figures_of(jobs: Sequence[Job]) -> Callable[[], bytes]:
    """A function that writes the figures as they are when it is called. From any thread.

    - `booking_events_published_total`: by the relay
    - `booking_messages_consumed_total{outcome}`: applied, unchanged, skipped, dead
    - `booking_bookings_expired_total`, `booking_seats_released_total`: by the sweep
    - `booking_refunds_unanswered`: asked for more than an hour ago and not answered, as last looked at
    - the usual ones of the process, of Python and of its garbage collection

    A job that is not there has no figures.
    """
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    registry.register(_Figures(jobs))
    return lambda: generate_latest(registry)


class _Figures(Collector):
    """Reads the jobs' own counts, so that they need not know who watches them."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = jobs

    def collect(self) -> Iterable[Metric]:
        for job in self._jobs:
            if isinstance(job, Relay):
                yield CounterMetricFamily("booking_events_published", "Events published", value=job.published)
            elif isinstance(job, Consumer):
                consumed = CounterMetricFamily(
                    "booking_messages_consumed", "Messages consumed, by what became of them", labels=["outcome"]
                )
                for outcome in _OUTCOMES:
                    consumed.add_metric([outcome], job.counts[outcome])
                yield consumed
            elif isinstance(job, Sweeper):
                yield CounterMetricFamily("booking_bookings_expired", "Overdue holds ended", value=job.expired)
                yield CounterMetricFamily("booking_seats_released", "Their seats", value=job.seats_released)
            elif isinstance(job, RefundWatch):
                yield GaugeMetricFamily("booking_refunds_unanswered", "Not answered in an hour", value=job.unanswered)
