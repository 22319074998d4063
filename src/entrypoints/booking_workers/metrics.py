"""Metrics of a worker process: what its jobs have done since the start, and what waits. Needs prometheus_client."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from booking_core.ports import Backlogs, Store
from booking_telemetry import metric_specs
from booking_telemetry.pool_metrics import connection_families
from booking_workers.backlogs import BusSampler, StoreSampler
from booking_workers.consumer import Consumer
from booking_workers.jobs import InstrumentedJob, Job
from booking_workers.maintenance import ExpiryJob
from booking_workers.relay import Relay

# Shown from the start, at 0: a rate needs an initial value.
_OUTCOMES: Final = ("applied", "unchanged", "skipped", "dead")


def metrics_renderer(jobs: Sequence[Job], store: Store | None = None) -> Callable[[], bytes]:
    """A function that renders the current metrics in Prometheus' text format, without I/O. Callable from any thread.

    A job that is absent has no metrics, and neither has a sampler before its first sample. Metrics of passes need an
    `InstrumentedJob`, those of connections a store that lends them. The metrics of the process, of Python and of its
    garbage collection are included.
    """
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    registry.register(_JobCollector(jobs, store))
    return lambda: generate_latest(registry)


class _JobCollector(Collector):
    """Reads the jobs' own counters, so that the jobs need no metrics library."""

    def __init__(self, jobs: Sequence[Job], store: Store | None) -> None:
        self._instrumented = [job for job in jobs if isinstance(job, InstrumentedJob)]
        self._jobs = [job.job if isinstance(job, InstrumentedJob) else job for job in jobs]
        self._store = store

    def collect(self) -> Iterable[Metric]:
        if self._instrumented:
            yield from _pass_families(self._instrumented)
        use = None if self._store is None else self._store.upkeep.connection_use()
        if use is not None:
            yield from connection_families(use)
        for job in self._jobs:
            if isinstance(job, Relay):
                yield metric_specs.PUBLISHED.family(((), job.published))
            elif isinstance(job, Consumer):
                yield metric_specs.CONSUMED.family(*(((outcome,), job.counts[outcome]) for outcome in _OUTCOMES))
                yield metric_specs.EVENT_IDS_REUSED.family(((), job.counts["reused"]))
            elif isinstance(job, ExpiryJob):
                yield metric_specs.EXPIRED.family(((), job.expired))
                yield metric_specs.RELEASED.family(((), job.seats_released))
            elif isinstance(job, StoreSampler) and job.sample is not None:
                yield from _store_families(job.sample)
            elif isinstance(job, BusSampler):
                yield from _bus_families(job)


def _pass_families(jobs: Sequence[InstrumentedJob]) -> Iterable[Metric]:
    yield metric_specs.PASSES.family(
        *(((each.name, "done"), each.done) for each in jobs), *(((each.name, "failed"), each.failed) for each in jobs)
    )
    yield metric_specs.PASS_SECONDS.family(*(((each.name,), each.seconds) for each in jobs))
    yield metric_specs.LAST_DONE.family(*(((each.name,), each.last_done) for each in jobs if each.last_done))


def _store_families(sample: Backlogs) -> Iterable[Metric]:
    """An empty backlog has the age 0."""
    for spec, value in (
        (metric_specs.HOLDS, sample.holds),
        (metric_specs.OVERDUE, sample.overdue),
        (metric_specs.OVERDUE_AGE, sample.oldest_overdue_seconds),
        (metric_specs.OUTBOX, sample.outbox),
        (metric_specs.OUTBOX_AGE, sample.oldest_outbox_seconds),
        (metric_specs.REFUNDS, sample.unanswered_refunds),
        (metric_specs.REFUNDS_AGE, sample.oldest_unanswered_refund_seconds),
        (metric_specs.CLOSURES, sample.open_closures),
        (metric_specs.CLOSURES_AGE, sample.oldest_open_closure_seconds),
    ):
        yield spec.family(((), value or 0.0))


def _bus_families(sampler: BusSampler) -> Iterable[Metric]:
    for backlog, count, age in (
        (sampler.payments, metric_specs.LAG, metric_specs.LAG_AGE),
        (sampler.dead_letters, metric_specs.DEAD_LETTERS, metric_specs.DEAD_LETTERS_AGE),
    ):
        if backlog is not None:
            yield count.family(((), backlog.messages))
            yield age.family(((), backlog.oldest_seconds))
