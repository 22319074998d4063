"""What a worker shows to Prometheus: what its jobs have done since its start, and what waits (see `figures`)."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from booking_core.ports import Backlogs, Store
from booking_telemetry import metric_specs
from booking_telemetry.pool_metrics import families_of, lender_in
from booking_workers.backlogs import BacklogWatch, BusWatch
from booking_workers.consumer import Consumer
from booking_workers.expiry import ExpiryJob
from booking_workers.jobs import InstrumentedJob, Job
from booking_workers.relay import Relay

# Shown from the start, at 0: a rate needs a first value to grow from.
_OUTCOMES: Final = ("applied", "unchanged", "skipped", "dead")


def figures_of(jobs: Sequence[Job], store: Store | None = None) -> Callable[[], bytes]:
    """A function that writes the figures as they are when it is called, asking nobody. From any thread.

    A job that is not there has no figures, and neither has what was not looked at yet. Those of passes are there for
    jobs that are `InstrumentedJob`; those of connections for a store that lends them. Beside them are the usual ones of
    the process, of Python and of its garbage collection.
    """
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    registry.register(_Figures(jobs, store))
    return lambda: generate_latest(registry)


class _Figures(Collector):
    """Reads the jobs' own counts, so that they need not know who watches them."""

    def __init__(self, jobs: Sequence[Job], store: Store | None) -> None:
        self._timed = [job for job in jobs if isinstance(job, InstrumentedJob)]
        self._jobs = [job.job if isinstance(job, InstrumentedJob) else job for job in jobs]
        self._lender = lender_in(store)

    def collect(self) -> Iterable[Metric]:
        if self._timed:
            yield from _of_passes(self._timed)
        if self._lender is not None:
            yield from families_of(self._lender.connection_use())
        for job in self._jobs:
            if isinstance(job, Relay):
                yield metric_specs.PUBLISHED.family(((), job.published))
            elif isinstance(job, Consumer):
                yield metric_specs.CONSUMED.family(*(((outcome,), job.counts[outcome]) for outcome in _OUTCOMES))
            elif isinstance(job, ExpiryJob):
                yield metric_specs.EXPIRED.family(((), job.expired))
                yield metric_specs.RELEASED.family(((), job.seats_released))
            elif isinstance(job, BacklogWatch) and job.seen is not None:
                yield from _of_backlogs(job.seen)
            elif isinstance(job, BusWatch):
                yield from _of_bus(job)


def _of_passes(timed: Sequence[InstrumentedJob]) -> Iterable[Metric]:
    yield metric_specs.PASSES.family(
        *(((each.name, "done"), each.done) for each in timed), *(((each.name, "failed"), each.failed) for each in timed)
    )
    yield metric_specs.PASS_SECONDS.family(*(((each.name,), each.seconds) for each in timed))
    yield metric_specs.LAST_DONE.family(*(((each.name,), each.last_done) for each in timed if each.last_done))


def _of_backlogs(seen: Backlogs) -> Iterable[Metric]:
    """An age of nothing is 0."""
    for figure, value in (
        (metric_specs.HOLDS, seen.holds),
        (metric_specs.OVERDUE, seen.overdue),
        (metric_specs.OVERDUE_AGE, seen.oldest_overdue_seconds),
        (metric_specs.OUTBOX, seen.outbox),
        (metric_specs.OUTBOX_AGE, seen.oldest_outbox_seconds),
        (metric_specs.REFUNDS, seen.unanswered_refunds),
        (metric_specs.REFUNDS_AGE, seen.oldest_unanswered_refund_seconds),
        (metric_specs.CLOSURES, seen.open_closures),
        (metric_specs.CLOSURES_AGE, seen.oldest_open_closure_seconds),
    ):
        yield figure.family(((), value or 0.0))


def _of_bus(watch: BusWatch) -> Iterable[Metric]:
    for waiting, number, age in (
        (watch.payments, metric_specs.LAG, metric_specs.LAG_AGE),
        (watch.letters, metric_specs.LETTERS, metric_specs.LETTERS_AGE),
    ):
        if waiting is not None:
            yield number.family(((), waiting.messages))
            yield age.family(((), waiting.oldest_seconds))
