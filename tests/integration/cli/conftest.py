"""A database with the schema, and a store over it."""

from collections.abc import Iterator

import pytest

from booking_core.ports.store import Store
from booking_postgres.adapter import create
from tests.integration.postgres_fixture import FreshDatabase


@pytest.fixture
def database(fresh_database: FreshDatabase) -> str:
    """The URL of a database with the newest schema."""
    url = fresh_database()
    store = create({"BOOKING_DATABASE_URL": url})
    store.migrate()
    store.close()
    return url


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    store = create({"BOOKING_DATABASE_URL": database, "BOOKING_DB_CONNECTIONS": "2"})
    yield store
    store.close()
