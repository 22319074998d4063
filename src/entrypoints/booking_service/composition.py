"""The composition root: the only module that chooses adapters and builds the components of a process from them.

Adapters are found by name through the entry-point groups `booking.store`, `booking.event_bus` and `booking.catalog`,
so that another distribution can add one without a change here. A component is imported and built when it is first
used, so that a command imports only the libraries, and needs only the settings, of what it uses.
"""

import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from booking_core.application.catalog_cache import CatalogCache
from booking_core.domain.values import Terms
from booking_core.ports.catalog import Catalog
from booking_core.ports.event_bus import EventBus
from booking_core.ports.store import Store
from booking_service.background import Background
from booking_service.setting_fields import SettingsError
from booking_service.settings import Settings, required

if TYPE_CHECKING:
    from booking_api.auth.verifier import TokenVerifier
    from booking_api.service import Service

T = TypeVar("T")

AdapterFactory = Callable[[Mapping[str, str]], Any]
"""Builds an adapter from the settings as text. The adapter keeps the promises of its port and has `close()`."""

STORE: Final = "booking.store"
EVENT_BUS: Final = "booking.event_bus"
CATALOG: Final = "booking.catalog"
_THREADS_PER_WAITING: Final = 3
_PORTS: Final = {STORE: "store", EVENT_BUS: "event bus", CATALOG: "catalog"}


def find_adapter(group: str, name: str) -> AdapterFactory:
    """Load the factory that is installed under this name. Raises SettingsError with the installed names."""
    installed = entry_points(group=group)
    for entry_point in installed:
        if entry_point.name == name:
            factory: AdapterFactory = entry_point.load()
            return factory
    setting = "BOOKING_EVENT_BUS: " if group == EVENT_BUS else ""
    names = ", ".join(sorted({entry_point.name for entry_point in installed})) or "none"
    raise SettingsError(f"{setting}there is no {_PORTS[group]} adapter named {name!r} (installed: {names})")


class Composition:
    """The components of one process. Each is built at its first use and then kept. Safe to use from many threads.

    `find` finds the factory of an adapter by group and name. The end of the `with` block closes what was built.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        store: str = "postgres",
        catalog: str = "rest",
        find: Callable[[str, str], AdapterFactory] = find_adapter,
    ) -> None:
        self.settings = settings
        self._names = {STORE: store, CATALOG: catalog, EVENT_BUS: settings.event_bus}
        self._find = find
        self._lock = threading.RLock()
        self._components: dict[str, Any] = {}
        self._closing = ExitStack()

    @property
    def store(self) -> Store:
        """Store of bookings, events and seats."""
        store: Store = self._component(STORE, lambda: self._adapter(STORE))
        return store

    @property
    def event_bus(self) -> EventBus:
        """Event bus for published events and payment messages."""
        bus: EventBus = self._component(EVENT_BUS, lambda: self._adapter(EVENT_BUS))
        return bus

    @property
    def catalog(self) -> Catalog | None:
        """Catalog Service; None if BOOKING_CATALOG_URL is not set and only loaded events are known."""
        if self.settings.catalog_url is None:
            return None
        catalog: Catalog = self._component(CATALOG, lambda: self._adapter(CATALOG))
        return catalog

    @property
    def catalog_cache(self) -> CatalogCache:
        """Cache of the Catalog in the store. A background thread refreshes it, so that no request waits for that."""
        return self._component("catalog cache", self._catalog_cache)

    @property
    def terms(self) -> Terms:
        """Payment window and processing timeout."""
        return self.settings.terms

    @property
    def verifier(self) -> "TokenVerifier":
        """Verifier of the API's tokens. It fetches the issuer's keys at the first token."""
        return self._component("verifier", self._verifier)

    def service(self, *, metrics: Callable[[], bytes] | None = None, pseudonym_key: bytes | None = None) -> "Service":
        """Build what the API needs; Service documents `metrics` and `pseudonym_key`."""
        from booking_api.service import Service

        key: dict[str, Any] = {} if pseudonym_key is None else {"pseudonym_key": pseudonym_key}
        return Service(
            store=self.store,
            catalog_cache=self.catalog_cache,
            terms=self.terms,
            cors_origins=self.settings.cors_origins or (),
            metrics=metrics,
            # Behind the gateway this limit is never reached: it reads a body before it calls the application.
            bodies_at_once=self.settings.db_connections,
            **key,
        )

    def close(self) -> None:
        """Close what was built, the last one first: a component is built after those that it uses. Idempotent."""
        with self._lock:
            self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _component(self, name: str, build: Callable[[], T]) -> T:
        with self._lock:
            if name not in self._components:
                self._components[name] = build()
            component: T = self._components[name]
            return component

    def _adapter(self, group: str) -> Any:
        create = self._find(group, self._names[group])
        try:
            adapter = create(self.settings.for_adapters)
        except ValueError as error:
            # The adapter checks its settings itself, and its message may quote a secret one.
            problem = " ".join(str(error).split())
            for secret in self.settings.secrets:
                problem = problem.replace(secret, "***")
            raise SettingsError(f"the {_PORTS[group]} adapter refuses its settings: {problem}") from None
        self._closing.callback(adapter.close)
        return adapter

    def _catalog_cache(self) -> CatalogCache:
        store, catalog = self.store, self.catalog
        background = Background("catalog-refresh")
        self._closing.callback(background.close)
        # There is a thread for each connection. Those that wait for the Catalog must leave the others to known events.
        most_waiting = max(1, self.settings.db_connections // _THREADS_PER_WAITING)
        return CatalogCache(store=store, catalog=catalog, later=background, most_waiting=most_waiting)

    def _verifier(self) -> "TokenVerifier":
        from booking_api.auth.keys import RemoteKeys
        from booking_api.auth.verifier import TokenVerifier

        settings = self.settings
        return TokenVerifier(
            issuer=required(settings.jwt_issuer, "BOOKING_JWT_ISSUER"),
            audience=required(settings.jwt_audience, "BOOKING_JWT_AUDIENCE"),
            keys=RemoteKeys(required(settings.jwt_jwks_url, "BOOKING_JWT_JWKS_URL")),
        )
