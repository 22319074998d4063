"""The dependencies of the API. The composition root provides them; nothing here reads the environment."""

import secrets
from collections.abc import Callable
from functools import partial

from attrs import field, frozen
from prometheus_client import CollectorRegistry

from booking_core import CatalogCache, Terms
from booking_core.ports import Store


@frozen(kw_only=True)
class Service:
    """The dependencies of the routes, shared by all threads.

    `metrics` returns the body of `/metrics` in Prometheus' text format; None: everything in `registry`, which has the
    API's own metrics. If several processes serve, it must sum up the metrics of all of them.

    `pseudonym_key` turns users' ids into the pseudonyms of the log: the same key, the same pseudonyms. By default it is
    random at every start, so that lines of different days cannot be linked.

    `bodies_at_once`: how many threads may read a request's body at the same time; fewer than there are.
    """

    store: Store
    catalog_cache: CatalogCache
    terms: Terms = field(factory=Terms)
    cors_origins: tuple[str, ...] = ()
    metrics: Callable[[], bytes] | None = None
    registry: CollectorRegistry = field(factory=CollectorRegistry)
    pseudonym_key: bytes = field(factory=partial(secrets.token_bytes, 32), repr=False)
    bodies_at_once: int = 6
