"""An environment in which only the wheels are installed."""

import pytest

from tests.integration.examples.outside import Outside, make_outside


@pytest.fixture(scope="session")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Outside:
    """An environment with our wheel and the example bus installed, made once per process of the test run."""
    return make_outside(tmp_path_factory.mktemp("outside"))
