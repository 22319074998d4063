"""The suites of an event bus pass one that is right, and catch every mistake that one can make."""

from collections.abc import Iterator

import pytest

from booking_core.contracts import EVENT_BUS_CONTRACTS, EventBusHarness
from tests.unit.booking_core.contracts.bus_mistakes import MISTAKES
from tests.unit.booking_core.contracts.small_bus import SmallBusHarness

TESTS = {name: suite for suite in EVENT_BUS_CONTRACTS for name in dir(suite) if name.startswith("test_")}


@pytest.fixture
def event_bus_harness() -> Iterator[EventBusHarness]:
    harness = SmallBusHarness()
    yield harness
    harness.close()


globals().update({f"Test{suite.__name__}": suite for suite in EVENT_BUS_CONTRACTS})


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_caught(mistake: str) -> None:
    test = MISTAKES[mistake]
    harness = SmallBusHarness(mistake)
    try:
        with pytest.raises((AssertionError, KeyError, OSError, RuntimeError)):
            getattr(TESTS[test](), test)(harness)
    finally:
        harness.close()
