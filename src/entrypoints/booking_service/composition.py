"""The composition root: the only place that chooses adapters and puts the parts together.

Adapters are found by name through the entry-point groups `booking.store`, `booking.event_bus` and `booking.catalog`:
another distribution can add one without a change here. Nothing is built or imported before it is asked for, so that
a command pays for, and demands, only what it uses.
"""

import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Final

from booking_core.application.catalog_cache import CatalogCache
from booking_core.domain.values import Terms
from booking_core.ports.catalog import Catalog
from booking_core.ports.event_bus import EventBus
from booking_core.ports.store import Store
from booking_service.background import Background
from booking_service.settings import Settings, SettingsError, required

if TYPE_CHECKING:
    from booking_api.auth.verifier import TokenVerifier
    from booking_api.service import Service

Factory = Callable[[Mapping[str, str]], Any]

STORE: Final = "booking.store"
EVENT_BUS: Final = "booking.event_bus"
CATALOG: Final = "booking.catalog"
_WHAT: Final = {STORE: "store", EVENT_BUS: "event bus", CATALOG: "catalog"}


def find_adapter(group: str, name: str) -> Factory:
    """The factory that is installed under this name. Raises SettingsError, listing the names that are."""
    found = entry_points(group=group)
    for entry_point in found:
        if entry_point.name == name:
            factory: Factory = entry_point.load()
            return factory
    setting = "BOOKING_EVENT_BUS: " if group == EVENT_BUS else ""
    known = ", ".join(sorted({entry_point.name for entry_point in found})) or "none"
    raise SettingsError(f"{setting}there is no {_WHAT[group]} adapter named {name!r} (installed: {known})")


class Composition:
    """The parts of one process, each built when it is first asked for and then kept. Safe to use from many threads.

    `find` is how adapters are found. Leaving the `with` block closes everything that was built.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        store: str = "postgres",
        catalog: str = "rest",
        find: Callable[[str, str], Factory] = find_adapter,
    ) -> None:
        self.settings = settings
        self._names = {STORE: store, CATALOG: catalog, EVENT_BUS: settings.event_bus}
        self._find = find
        self._lock = threading.RLock()
        self._parts: dict[str, Any] = {}
        self._closing = ExitStack()

    @property
    def store(self) -> Store:
        """Where bookings live."""
        store: Store = self._once(STORE, lambda: self._adapter(STORE))
        return store

    @property
    def event_bus(self) -> EventBus:
        """How events leave and payments arrive."""
        bus: EventBus = self._once(EVENT_BUS, lambda: self._adapter(EVENT_BUS))
        return bus

    @property
    def catalog(self) -> Catalog | None:
        """The Catalog Service; None where there is none, and what was loaded is all there is."""
        if self.settings.catalog_url is None:
            return None
        catalog: Catalog = self._once(CATALOG, lambda: self._adapter(CATALOG))
        return catalog

    @property
    def catalog_cache(self) -> CatalogCache:
        """The database's copy of the Catalog; refreshed by one thread, behind the customers' backs."""
        catalog_cache: CatalogCache = self._once("mirror", self._catalog_cache)
        return catalog_cache

    @property
    def terms(self) -> Terms:
        """How long customers have to pay."""
        return self.settings.terms

    @property
    def verifier(self) -> "TokenVerifier":
        """Who may call the API; fetches the issuer's keys when the first token comes."""
        verifier: TokenVerifier = self._once("verifier", self._verifier)
        return verifier

    def service(self, *, metrics: Callable[[], bytes] | None = None, pseudonym_key: bytes | None = None) -> "Service":
        """What the API is built over; see there for `metrics` and `pseudonym_key`."""
        from booking_api.service import Service

        key: dict[str, Any] = {} if pseudonym_key is None else {"pseudonym_key": pseudonym_key}
        return Service(
            store=self.store,
            catalog_cache=self.catalog_cache,
            terms=self.terms,
            cors_origins=self.settings.cors_origins or (),
            metrics=metrics,
            # Where there is a front, bodies have arrived before the application is called, and this never counts.
            bodies_at_once=self.settings.db_connections,
            **key,
        )

    def close(self) -> None:
        """Close what was built, the last first: whoever uses a part was built after it. May be called twice."""
        with self._lock:
            self._closing.close()

    def __enter__(self) -> "Composition":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _once(self, name: str, build: Callable[[], Any]) -> Any:
        with self._lock:
            if name not in self._parts:
                self._parts[name] = build()
            return self._parts[name]

    def _adapter(self, group: str) -> Any:
        make = self._find(group, self._names[group])
        try:
            part = make(self.settings.for_adapters)
        except ValueError as error:
            # The adapter's own check of its settings; what it says may quote one.
            problem = " ".join(str(error).split())
            for secret in self.settings.secrets:
                problem = problem.replace(secret, "***")
            raise SettingsError(f"the {_WHAT[group]} adapter refuses its settings: {problem}") from None
        self._closing.callback(part.close)
        return part

    def _catalog_cache(self) -> CatalogCache:
        store, catalog = self.store, self.catalog
        later = Background("catalog-refresh")
        self._closing.callback(later.close)
        return CatalogCache(store=store, catalog=catalog, later=later)

    def _verifier(self) -> "TokenVerifier":
        from booking_api.auth.jwks import RemoteKeys
        from booking_api.auth.verifier import TokenVerifier

        settings = self.settings
        return TokenVerifier(
            issuer=required(settings.jwt_issuer, "BOOKING_JWT_ISSUER"),
            audience=required(settings.jwt_audience, "BOOKING_JWT_AUDIENCE"),
            keys=RemoteKeys(required(settings.jwt_jwks_url, "BOOKING_JWT_JWKS_URL")),
        )
