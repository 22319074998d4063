"""What the PostgreSQL tests share beyond `tests/support`."""

import pytest


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reservations wait for a lock as long as anything does: what happens meanwhile is arranged by the test."""
    monkeypatch.setattr("booking_postgres.driver.transaction._BOUNDS_OF_RESERVING", ("1000ms", "10s", "10s"))
