"""A migrated database for each test, copied from one that was migrated once."""

from collections.abc import Iterator

import pytest

from tests.integration.postgres.stage import Stage, open_store
from tests.integration.postgres_fixture import FreshDatabase, database_name, databases


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str) -> Iterator[str]:
    """The name of a migrated, empty database to copy."""
    with databases(postgres_url) as create:
        url = create()
        store = open_store(url, 1)
        store.migrate()
        store.close()
        yield database_name(url)


@pytest.fixture
def database_url(fresh_database: FreshDatabase, postgres_template: str) -> str:
    """A migrated, empty database that this test alone sees."""
    return fresh_database(template=postgres_template)


@pytest.fixture
def stage(database_url: str) -> Iterator[Stage]:
    """One event with twelve seats, in a database that this test alone sees."""
    with Stage.at(database_url) as stage:
        yield stage


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reservations wait for a lock as long as anything does, for what happens meanwhile is the test's to arrange."""
    monkeypatch.setattr("booking_postgres.driver.transaction._BOUNDS_OF_RESERVING", ("1000ms", "10s", "10s"))
