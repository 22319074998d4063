"""Checks of the components: database and clock, broker, issuer's keys, Catalog.

An adapter that offers no diagnosis is checked through its port.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from enum import Enum
from typing import Final
from uuid import UUID

from booking_core.domain.errors import BookingError
from booking_core.ports import Catalog, Diagnosis, EventBus, Finding, Grade, Store, Workload
from booking_service.composition import Composition
from booking_service.doctor.events import check_events
from booking_service.setting_fields import Need
from booking_service.settings import DB_CONNECTIONS, Settings

Compose = Callable[[Settings], Composition]
Clock = Callable[[], datetime]

_CLOCK: Final = "clock"
# The server's clock judges tokens, with this leeway (`TokenVerifier`); the database's clock judges everything else.
_TOKEN_LEEWAY_SECONDS: Final = 30.0
_WARNING_SECONDS: Final = 2.0  # of difference between the clocks
_UNKNOWN_EVENT: Final = UUID(int=0)


class Component(Enum):
    """A component that the service needs. The value is its name for operators."""

    DATABASE = "database"
    BROKER = "broker"
    TOKENS = "jwks"
    CATALOG = "catalog"

    @property
    def need(self) -> Need:
        """The need whose settings configure the component."""
        return _NEEDS[self]


_NEEDS: Final = {
    Component.DATABASE: Need.DATABASE,
    Component.BROKER: Need.EVENT_BUS,
    Component.TOKENS: Need.TOKENS,
    Component.CATALOG: Need.CATALOG,
}


def server_clock() -> datetime:
    """Read the clock of this machine, in UTC."""
    return datetime.now(UTC)


def check_component(component: Component, settings: Settings, compose: Compose, clock: Clock) -> Iterator[Finding]:
    """Check one component and yield its findings. Raises SettingsError if an adapter refuses its settings."""
    if component is Component.TOKENS:
        # Imported here, because it imports the API's libraries.
        from booking_service.doctor.tokens import check_tokens

        yield from check_tokens(settings)
        return
    with compose(settings) as composition:
        if component is Component.DATABASE:
            yield from _check_database(composition.store, settings, clock)
        elif component is Component.BROKER:
            yield from _check_broker(composition.event_bus, settings)
        elif composition.catalog is None:
            found = "not used, for BOOKING_CATALOG_URL is not set: only what `booking catalog load` brought in is known"
            yield Finding(check=component.value, grade=Grade.SKIPPED, found=found)
        else:
            yield from _check_catalog(composition, composition.catalog, has_store=settings.database_url is not None)


def _check_database(store: Store, settings: Settings, clock: Clock) -> Iterator[Finding]:
    # BOOKING_DB_CONNECTIONS, if it is set, is taken for the number of `serve`.
    of_serve = settings.db_connections if settings.db_connections > 1 else DB_CONNECTIONS["serve"]
    needed = of_serve + DB_CONNECTIONS["worker"]
    first: Finding | None = None
    for finding in _diagnosis(store, Workload(connections=needed)) or _try_store(store):
        first = first or finding
        yield finding
    if first is not None and first.grade is Grade.TROUBLE:
        yield Finding(check=_CLOCK, grade=Grade.SKIPPED, found=f"not compared: see {first.check}")
        return
    yield _compare_clocks(store, clock)


def _check_catalog(composition: Composition, catalog: Catalog, *, has_store: bool) -> Iterator[Finding]:
    is_sound = has_store
    for finding in _diagnosis(catalog, Workload()) or _try_catalog(catalog):
        is_sound = is_sound and finding.grade is Grade.OK
        yield finding
    if is_sound:
        yield from check_events(composition.store, catalog)


def _compare_clocks(store: Store, clock: Clock) -> Finding:
    """Compare the server's clock with the database's, to within half of the time that the database took to answer."""
    before = clock()
    database = store.reads.now()
    after = clock()
    skew = (before + (after - before) / 2 - database).total_seconds()
    distance, tolerance = abs(skew), (after - before).total_seconds() / 2
    direction = "ahead of" if skew >= 0 else "behind"
    found = f"ours is {distance:.3f} s {direction} the database's, give or take {tolerance:.3f} s"
    if distance - tolerance <= _WARNING_SECONDS:
        return Finding(check=_CLOCK, grade=Grade.OK, found=found)
    advice = "have both machines follow the same time servers (NTP)"
    if distance - tolerance <= _TOKEN_LEEWAY_SECONDS:
        return Finding(check=_CLOCK, grade=Grade.WARNING, found=found, advice=advice)
    found += ": good tokens are refused, or stale ones taken"
    return Finding(check=_CLOCK, grade=Grade.TROUBLE, found=found, advice=advice)


def _check_broker(bus: EventBus, settings: Settings) -> Iterable[Finding]:
    workload = Workload(
        published=settings.events_topic,
        consumed=settings.payments_topic,
        dead_letters=settings.dead_letter_topic,
        group=settings.consumer_group,
    )
    return _diagnosis(bus, workload) or _try_bus(bus, workload)


def _diagnosis(adapter: object, workload: Workload) -> Iterable[Finding] | None:
    """The adapter's own findings; None if it offers no diagnosis."""
    return adapter.diagnose(workload) if isinstance(adapter, Diagnosis) else None


def _try_store(store: Store) -> Iterator[Finding]:
    health = store.upkeep.health()
    if health.is_ready:
        yield Finding(check="database", grade=Grade.OK, found="can be used")
    else:
        advice = health.remedy or "see its own documentation"
        yield Finding(check="database", grade=Grade.TROUBLE, found=health.problem, advice=advice)


def _try_bus(bus: EventBus, workload: Workload) -> Iterator[Finding]:
    for topic in workload.topics:
        try:
            partitions = bus.backlog(topic, workload.group)
        except BookingError as error:
            advice = "check that the bus runs, and that the topic exists"
            yield Finding(check=f"topic {topic}", grade=Grade.TROUBLE, found=str(error), advice=advice)
        else:
            yield Finding(check=f"topic {topic}", grade=Grade.OK, found=f"{len(partitions)} partitions")


def _try_catalog(catalog: Catalog) -> Iterator[Finding]:
    try:
        catalog.event(_UNKNOWN_EVENT)
    except BookingError as error:
        advice = "check BOOKING_CATALOG_URL, and that the Catalog runs"
        yield Finding(check="catalog", grade=Grade.TROUBLE, found=str(error), advice=advice)
    else:
        yield Finding(check="catalog", grade=Grade.OK, found="answers")
