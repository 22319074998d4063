"""A store over the database that the commands use."""

from collections.abc import Iterator

import pytest

from booking_core.ports.store import Store
from tests.support.postgres.stage import open_store


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    store = open_store(database_url, 2)
    yield store
    store.close()
