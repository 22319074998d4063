"""The harnesses that the contract suites run over, by the adapter's name.

To run the suites over another adapter, add a line to STORE_HARNESSES or EVENT_BUS_HARNESSES. Its value is given
pytest's `request`, from which it may take other fixtures: `request.getfixturevalue("database_url")`.
"""

from collections.abc import Callable, Iterator
from typing import Final

import pytest

from booking_core.contracts import EventBusHarness, StoreHarness
from tests.support.kafka.harness import KafkaEventBusHarness
from tests.support.memory_harness import MemoryEventBusHarness, MemoryStoreHarness
from tests.support.postgres.harness import EventLoopStoreHarness, PostgresStoreHarness


def _postgres(request: pytest.FixtureRequest) -> StoreHarness:
    return PostgresStoreHarness(request.getfixturevalue("database_url"))


def _postgres_on_event_loop(request: pytest.FixtureRequest) -> StoreHarness:
    return EventLoopStoreHarness(request.getfixturevalue("database_url"))


STORE_HARNESSES: Final[dict[str, Callable[[pytest.FixtureRequest], StoreHarness]]] = {
    "memory": lambda request: MemoryStoreHarness(),
    "postgres": _postgres,
    "postgres on an event loop": _postgres_on_event_loop,
}
ONLY_FOR_GROUPS: Final = frozenset({"postgres on an event loop"})
"""The harnesses that differ from another one in groups alone; only the suites of groups run over them."""
EVENT_BUS_HARNESSES: Final[dict[str, Callable[[pytest.FixtureRequest], EventBusHarness]]] = {
    "memory": lambda request: MemoryEventBusHarness(),
    "kafka": lambda request: KafkaEventBusHarness(request.getfixturevalue("kafka_bootstrap")),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "store_harness" in metafunc.fixturenames:
        is_of_groups = metafunc.cls is not None and "TestGroup" in metafunc.cls.__name__
        names = [name for name in STORE_HARNESSES if is_of_groups or name not in ONLY_FOR_GROUPS]
        metafunc.parametrize("store_harness", names, indirect=True)


@pytest.fixture
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
