"""Metrics of the store's connections and of the catalog's circuit breaker.

Both count by themselves and know nothing of Prometheus. Where several processes serve, metrics live in files and no
collector can query these objects at a scrape; so a request copies their values here, at most once a second.
"""

from collections.abc import Iterable
from threading import Lock

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from booking_core.ports import Catalog, ConnectionUse, Store
from booking_telemetry import metric_specs


def connection_families(use: ConnectionUse) -> Iterable[Metric]:
    """Metric families of a store's connections, for a collector that queries the store at each scrape."""
    yield metric_specs.CONNECTIONS.family(((), use.most))
    yield metric_specs.CONNECTION_SECONDS.family(((), use.used_seconds))
    yield metric_specs.CONNECTION_WAITS.family(((), use.waits))
    yield metric_specs.CONNECTION_WAIT_SECONDS.family(((), use.waited_seconds))
    yield metric_specs.CONNECTIONS_REFUSED.family(((), use.refused))


class PoolMetrics(Collector):
    """Metrics in `registry`, copied from the counters of store and catalog. Safe to use from many threads.

    A store without connections and a catalog without a breaker have no metrics.
    """

    def __init__(self, store: Store, catalog: Catalog | None, registry: CollectorRegistry) -> None:
        self._store, self._catalog = store, catalog
        self._lock = Lock()
        self._last: ConnectionUse | None = None
        # Registered before its metrics, so that `collect` refreshes them first.
        registry.register(self)
        if store.upkeep.connection_use() is not None:
            self._most = metric_specs.CONNECTIONS.gauge(registry)
            self._used = metric_specs.CONNECTION_SECONDS.counter(registry)
            self._waits = metric_specs.CONNECTION_WAITS.counter(registry)
            self._waited = metric_specs.CONNECTION_WAIT_SECONDS.counter(registry)
            self._refused = metric_specs.CONNECTIONS_REFUSED.counter(registry)
        if catalog is not None and catalog.breaker_state is not None:
            self._open = metric_specs.BREAKER.gauge(registry)

    def refresh(self) -> None:
        """Copy the current values."""
        with self._lock:
            use = self._store.upkeep.connection_use()
            if use is not None:
                self._copy(use)
            breaker = None if self._catalog is None else self._catalog.breaker_state
            if breaker is not None:
                self._open.set(breaker != "closed")

    def collect(self) -> Iterable[Metric]:
        """Refresh, and return no family: registered only to refresh the values when Prometheus scrapes."""
        self.refresh()
        return ()

    def describe(self) -> Iterable[Metric]:
        """Return no family, so that the registration queries neither store nor catalog."""
        return ()

    def _copy(self, use: ConnectionUse) -> None:
        last, self._last = self._last, use
        self._most.set(use.most)
        self._used.inc(use.used_seconds - (last.used_seconds if last else 0.0))
        self._waits.inc(use.waits - (last.waits if last else 0))
        self._waited.inc(use.waited_seconds - (last.waited_seconds if last else 0.0))
        self._refused.inc(use.refused - (last.refused if last else 0))
