"""The suites of an event bus pass one that is right, and catch every mistake that one can make."""

from collections.abc import Iterator
from itertools import count

import pytest

from booking_core.contracts import EVENT_BUS_CONTRACTS, EventBusHarness
from tests.unit.booking_core.contracts.bus_mistakes import MISTAKES
from tests.unit.booking_core.contracts.small_bus import SmallBus

TESTS = {name: suite for suite in EVENT_BUS_CONTRACTS for name in dir(suite) if name.startswith("test_")}


class SmallBusHarness:
    """The small bus, given to the suites."""

    def __init__(self, mistake: str = "") -> None:
        self.bus = SmallBus(mistake)
        # A test that waits in vain ends soon; one that is to pass has time on a busy machine.
        self.timeout_seconds = 1.5 if mistake else 20.0
        self._numbers = count()

    def new_topic(self) -> str:
        return f"topic-{next(self._numbers)}"

    def unreachable(self) -> SmallBus:
        return SmallBus(self.bus.mistake, is_reachable=False)

    def close(self) -> None:
        self.bus.close()


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
