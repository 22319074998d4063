"""The harnesses that the contract suites run over, by the adapter's name.

To run the suites over another adapter, add a line to STORE_HARNESSES or EVENT_BUS_HARNESSES. Its value is given
pytest's `request`, from which it may take other fixtures: `request.getfixturevalue("fresh_database")`.
"""

from collections.abc import Callable, Iterator
from typing import Final

import pytest

from booking_core.contracts import EventBusHarness, StoreHarness
from booking_postgres.adapter import create
from tests.integration.contracts.memory_harness import MemoryEventBusHarness, MemoryStoreHarness
from tests.integration.contracts.postgres_harness import PostgresStoreHarness
from tests.integration.kafka.harness import KafkaEventBusHarness
from tests.integration.postgres_fixture import database_name, databases


def _postgres(request: pytest.FixtureRequest) -> StoreHarness:
    fresh_database, migrated = (request.getfixturevalue(name) for name in ("fresh_database", "migrated_database"))
    return PostgresStoreHarness(fresh_database(template=migrated))


STORE_HARNESSES: Final[dict[str, Callable[[pytest.FixtureRequest], StoreHarness]]] = {
    "memory": lambda request: MemoryStoreHarness(),
    "postgres": _postgres,
}
EVENT_BUS_HARNESSES: Final[dict[str, Callable[[pytest.FixtureRequest], EventBusHarness]]] = {
    "memory": lambda request: MemoryEventBusHarness(),
    "kafka": lambda request: KafkaEventBusHarness(request.getfixturevalue("kafka_bootstrap")),
}


@pytest.fixture(scope="session")
def migrated_database(postgres_url: str) -> Iterator[str]:
    """The name of a database with all tables: copying it is faster than migrating each test's own."""
    with databases(postgres_url) as create_database:
        url = create_database()
        store = create({"BOOKING_DATABASE_URL": url})
        store.migrate()
        store.close()
        yield database_name(url)


@pytest.fixture(params=list(STORE_HARNESSES))
def store_harness(request: pytest.FixtureRequest) -> Iterator[StoreHarness]:
    """An empty store of each adapter in turn."""
    harness = STORE_HARNESSES[request.param](request)
    try:
        yield harness
    finally:
        harness.close()


@pytest.fixture(params=list(EVENT_BUS_HARNESSES))
def event_bus_harness(request: pytest.FixtureRequest) -> Iterator[EventBusHarness]:
    """A bus of each adapter in turn."""
    harness = EVENT_BUS_HARNESSES[request.param](request)
    try:
        yield harness
    finally:
        harness.close()
