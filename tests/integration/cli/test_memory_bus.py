"""A bus in the memory of one process, given to a process that is alone."""

import pytest

from tests.support.processes import running_booking, wait_for_line


@pytest.mark.parametrize("command", ["worker", "relay"])
def test_whoever_publishes_into_the_void_is_warned(database_url: str, command: str) -> None:
    with running_booking(database_url, command, BOOKING_EVENT_BUS="memory") as process:
        warning = wait_for_line(process, "bus.memory")

    assert warning["level"] == "warning"
    assert "nobody outside this process" in warning["detail"]
