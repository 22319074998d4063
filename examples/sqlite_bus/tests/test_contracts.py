"""The bus keeps what every event bus must keep: the contract suites of booking-core, run over it."""

import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

pytest.register_assert_rewrite("booking_core.contracts")  # before the import: then failures say what was wrong

from booking_core.contracts import EVENT_BUS_CONTRACTS, EventBusHarness  # noqa: E402
from booking_sqlite_bus.bus import SqliteEventBus  # noqa: E402


class SqliteHarness:
    """A bus in a file of its own for each test."""

    timeout_seconds = 20.0

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory()
        self._numbers = count()
        self.bus = SqliteEventBus(Path(self._directory.name) / "bus.db")

    def new_topic(self) -> str:
        return f"topic-{next(self._numbers)}"

    def unreachable(self) -> SqliteEventBus:
        return SqliteEventBus(Path(self._directory.name) / "missing" / "bus.db")

    def close(self) -> None:
        self.bus.close()
        self._directory.cleanup()


@pytest.fixture
def event_bus_harness() -> Iterator[EventBusHarness]:
    harness = SqliteHarness()
    yield harness
    harness.close()


globals().update({f"Test{suite.__name__}": suite for suite in EVENT_BUS_CONTRACTS})
