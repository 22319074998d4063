"""Which tests `make test` leaves to `make check`: each has the marker `slow`, with the reason.

Whole folders are named here; a single slow test is marked where it stands. The gate runs both kinds.
"""

from pathlib import Path
from typing import Final

import pytest

_FOLDERS: Final = {
    "browser": "a browser and a whole demo",
    "dev": "a whole demo for most of the tests",
    "docs": "the commands and the site of the documentation",
    "doctor": "timeouts of neighbours that do not answer",
    "examples": "wheels in an environment of their own",
    "openapi": "thousands of generated requests, and a browser",
    "postgres_embedded": "database servers that are started, killed and copied",
    "supply_chain": "the lock file, resolved by uv",
    "support": "runs of pytest within pytest",
}
_INTEGRATION: Final = Path(__file__).parents[1] / "integration"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow(reason): run by `make check` and not by `make test`")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(_INTEGRATION):
            folder = item.path.relative_to(_INTEGRATION).parts[0]
            if folder in _FOLDERS:
                item.add_marker(pytest.mark.slow(_FOLDERS[folder]))
