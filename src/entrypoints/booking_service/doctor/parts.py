"""What the doctor looks at, part by part; an adapter that offers no diagnosis is tried through its port."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final
from uuid import UUID

from booking_core.domain.errors import BookingError
from booking_core.ports import Catalog, Diagnosis, EventBus, Finding, Grade, Store, Workload
from booking_service.composition import Composition
from booking_service.doctor.clock import CHECK, Clock, clock_finding
from booking_service.settings import DB_CONNECTIONS, Need, Settings

Compose = Callable[[Settings], Composition]
_NO_EVENT: Final = UUID(int=0)


class Component(Enum):
    """A part of what the service needs; the value is its name for operators."""

    DATABASE = "database"
    BROKER = "broker"
    TOKENS = "jwks"
    CATALOG = "catalog"


NEED: Final[Mapping[Component, Need]] = MappingProxyType(
    {
        Component.DATABASE: Need.DATABASE,
        Component.BROKER: Need.EVENT_BUS,
        Component.TOKENS: Need.TOKENS,
        Component.CATALOG: Need.CATALOG,
    }
)
"""Whose settings the part has."""


def look_at(part: Component, settings: Settings, compose: Compose, clock: Clock) -> Iterator[Finding]:
    """The findings of one part, one after the other. Raises SettingsError if an adapter refuses its settings."""
    if part is Component.TOKENS:
        # Only here, for it is a web server's worth of imports.
        from booking_service.doctor.tokens import token_findings

        yield from token_findings(settings)
        return
    with compose(settings) as parts:
        if part is Component.DATABASE:
            yield from _database(parts.store, settings, clock)
        elif part is Component.BROKER:
            yield from _broker(parts.event_bus, settings)
        elif parts.catalog is None:
            found = "not used, for BOOKING_CATALOG_URL is not set: only what `booking catalog load` brought in is known"
            yield Finding(check=part.value, grade=Grade.SKIPPED, found=found)
        else:
            yield from _catalog(parts.catalog)


def _database(store: Store, settings: Settings, clock: Clock) -> Iterator[Finding]:
    # Where the number is set it is taken for that of `serve`.
    of_serve = settings.db_connections if settings.db_connections > 1 else DB_CONNECTIONS["serve"]
    needed = of_serve + DB_CONNECTIONS["worker"]
    first: Finding | None = None
    for finding in _told_by(store, Workload(connections=needed)) or _tried_store(store):
        first = first or finding
        yield finding
    if first is not None and first.grade is Grade.TROUBLE:
        yield Finding(check=CHECK, grade=Grade.SKIPPED, found=f"not compared: see {first.check}")
        return
    yield clock_finding(store, clock)


def _broker(bus: EventBus, settings: Settings) -> Iterable[Finding]:
    workload = Workload(
        published=settings.events_topic,
        consumed=settings.payments_topic,
        dead_letters=settings.dead_letter_topic,
        group=settings.consumer_group,
    )
    return _told_by(bus, workload) or _tried_bus(bus, workload)


def _catalog(catalog: Catalog) -> Iterable[Finding]:
    return _told_by(catalog, Workload()) or _tried_catalog(catalog)


def _told_by(adapter: object, workload: Workload) -> Iterable[Finding] | None:
    """What the adapter tells of itself; None if it does not."""
    return adapter.diagnose(workload) if isinstance(adapter, Diagnosis) else None


def _tried_store(store: Store) -> Iterator[Finding]:
    trouble = store.trouble()
    if trouble is None:
        yield Finding(check="database", grade=Grade.OK, found="can be used")
    else:
        found, _, advice = trouble.partition(": ")
        yield Finding(check="database", grade=Grade.TROUBLE, found=found, advice=advice or "see its own documentation")


def _tried_bus(bus: EventBus, workload: Workload) -> Iterator[Finding]:
    for topic in workload.topics:
        try:
            partitions = bus.backlog(topic, workload.group)
        except BookingError as error:
            advice = "check that the bus runs, and that the topic exists"
            yield Finding(check=f"topic {topic}", grade=Grade.TROUBLE, found=str(error), advice=advice)
        else:
            yield Finding(check=f"topic {topic}", grade=Grade.OK, found=f"{len(partitions)} partitions")


def _tried_catalog(catalog: Catalog) -> Iterator[Finding]:
    try:
        catalog.event(_NO_EVENT)
    except BookingError as error:
        advice = "check BOOKING_CATALOG_URL, and that the Catalog runs"
        yield Finding(check="catalog", grade=Grade.TROUBLE, found=str(error), advice=advice)
    else:
        yield Finding(check="catalog", grade=Grade.OK, found="answers")
