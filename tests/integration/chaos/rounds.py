"""Few kills in every run, many with `make soak`: the same tests with other numbers."""

import pytest

_SOAK_SECONDS_OF_A_KILL = 20


def kills(few: int, many: int) -> pytest.MarkDecorator:
    """The parameters `kills` and `events` (of 500 seats each, so that there is something to reserve to the end)."""
    long = pytest.param(many, many, marks=[pytest.mark.soak, pytest.mark.timeout(300 + _SOAK_SECONDS_OF_A_KILL * many)])
    return pytest.mark.parametrize(("kills", "events"), [(few, 2), long])
