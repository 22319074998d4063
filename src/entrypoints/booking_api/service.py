"""What the API is built over. The composition root fills it in; nothing here reads the environment."""

import secrets
from collections.abc import Callable
from functools import partial

from attrs import field, frozen
from prometheus_client import CollectorRegistry

from booking_core import CatalogCache, Terms
from booking_core.ports import Store


@frozen(kw_only=True)
class Service:
    """The parts that the routes use, shared by all threads.

    `metrics` writes what `/metrics` answers, in Prometheus' text format; None: everything in `registry`, where the
    API's own figures are. With several processes it is theirs all together that must be written.

    `pseudonym_key` turns users' ids into the pseudonyms of the log: the same key, the same pseudonyms. Made up at
    every start unless given, so that nobody can tell a user's lines of yesterday from a stranger's.

    `bodies_at_once`: how many threads may wait for a request's body; fewer than there are.
    """

    store: Store
    catalog_cache: CatalogCache
    terms: Terms = field(factory=Terms)
    cors_origins: tuple[str, ...] = ()
    metrics: Callable[[], bytes] | None = None
    registry: CollectorRegistry = field(factory=CollectorRegistry)
    pseudonym_key: bytes = field(factory=partial(secrets.token_bytes, 32), repr=False)
    bodies_at_once: int = 6
