"""The suites of a store catch every mistake that one can make; one that is right passes them (`test_contracts.py`)."""

import pytest

from booking_core.contracts import STORE_CONTRACTS
from booking_core.domain.errors import BookingError
from tests.support.memory_harness import MemoryStoreHarness
from tests.unit.booking_core.contracts.store_record_mistakes import MISTAKES

SUITES = [(suite, name) for suite in STORE_CONTRACTS for name in dir(suite) if name.startswith("test_")]


def run(test: str) -> None:
    """Run the tests of that name, each with a new store; most names are those of one test."""
    of_name = [suite for suite, name in SUITES if name == test]
    assert of_name
    for suite in of_name:
        harness = MemoryStoreHarness()
        try:
            getattr(suite(), test)(harness)
        finally:
            harness.close()


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_caught(mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    test, change = MISTAKES[mistake]
    run(test)
    change(monkeypatch)

    with pytest.raises((AssertionError, BookingError, TimeoutError, IndexError)):
        run(test)
