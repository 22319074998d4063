"""The figures of the parts that the API stands on, the store's connections and the catalog's breaker.

The parts count for themselves, and know nothing of Prometheus. What they say is carried over here once a second, by a
request that ends then: where several processes serve, figures live in files, and a part has no way to be asked when
somebody reads them.
"""

from collections.abc import Iterable
from threading import Lock
from time import monotonic
from typing import Final, cast

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from booking_core.ports import Catalog, ConnectionUse, HasBreaker, LendsConnections, Store
from booking_telemetry import metric_specs

_EVERY_SECONDS: Final = 1.0


def families_of(use: ConnectionUse) -> Iterable[Metric]:
    """The figures of a store's connections, for a collector that can ask it at every scrape."""
    yield metric_specs.CONNECTIONS.family(((), use.most))
    yield metric_specs.CONNECTION_SECONDS.family(((), use.used_seconds))
    yield metric_specs.CONNECTION_WAITS.family(((), use.waits))
    yield metric_specs.CONNECTION_WAIT_SECONDS.family(((), use.waited_seconds))
    yield metric_specs.CONNECTIONS_REFUSED.family(((), use.refused))


def lender_in(store: object) -> LendsConnections | None:
    """The store as one that lends connections, if it does; its class tells, so that nothing of it is touched."""
    return cast(LendsConnections, store) if issubclass(type(store), LendsConnections) else None


def _breaker_of(catalog: object) -> HasBreaker | None:
    return catalog if isinstance(catalog, HasBreaker) else None


class PoolMetrics(Collector):
    """Carries over what store and catalog say into figures in `registry`. Safe to use from many threads.

    A part that says nothing of itself has no figures.
    """

    def __init__(self, store: Store, catalog: Catalog | None, registry: CollectorRegistry) -> None:
        self._lender = lender_in(store)
        self._breaker = _breaker_of(catalog)
        self._lock, self._due = Lock(), 0.0
        self._last: ConnectionUse | None = None
        # Before its figures, so that it is asked before them.
        registry.register(self)
        if self._lender is not None:
            self._most = metric_specs.CONNECTIONS.gauge(registry)
            self._used = metric_specs.CONNECTION_SECONDS.counter(registry)
            self._waits = metric_specs.CONNECTION_WAITS.counter(registry)
            self._waited = metric_specs.CONNECTION_WAIT_SECONDS.counter(registry)
            self._refused = metric_specs.CONNECTIONS_REFUSED.counter(registry)
        if self._breaker is not None:
            self._open = metric_specs.BREAKER.gauge(registry)

    def look_if_due(self) -> None:
        """Look, if the last look is a second ago; costs next to nothing else."""
        if monotonic() >= self._due:
            self.look()

    def look(self) -> None:
        """Carry over what the parts say now."""
        with self._lock:
            self._due = monotonic() + _EVERY_SECONDS
            if self._lender is not None:
                self._carry_over(self._lender.connection_use())
            if self._breaker is not None:
                self._open.set(self._breaker.breaker_state != "closed")

    def collect(self) -> Iterable[Metric]:
        """Nothing of its own: in a registry of one process, everything is up to date after it."""
        self.look()
        return ()

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that registering it asks nobody."""
        return ()

    def _carry_over(self, use: ConnectionUse) -> None:
        last, self._last = self._last, use
        self._most.set(use.most)
        self._used.inc(use.used_seconds - (last.used_seconds if last else 0.0))
        self._waits.inc(use.waits - (last.waits if last else 0))
        self._waited.inc(use.waited_seconds - (last.waited_seconds if last else 0.0))
        self._refused.inc(use.refused - (last.refused if last else 0))
