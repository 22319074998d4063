"""What the PostgreSQL tests share beyond `tests/support`."""

import pytest

from booking_postgres.driver.connection import Timeouts
from tests.support.postgres.stage import Stage


@pytest.fixture
def long_lock_waits(stage: Stage) -> None:
    """Reservations wait for a lock as long as other transactions: the test arranges what happens meanwhile."""
    stage.store.timeouts = Timeouts(reservation_lock="1000ms")
