"""The API over each store: every test of this folder that asks for `store` or `api` runs over all of them."""

from collections.abc import Iterator

import pytest

from booking_core.ports import Store
from booking_dev.tokens import DevTokens
from booking_memory.adapter import create_store
from tests.support.api import AUDIENCE, ISSUER, Api, Hall
from tests.support.jwks import Clock, Jwks
from tests.support.postgres.stage import open_store

_CONNECTIONS = 8


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> DevTokens:
    return DevTokens(tmp_path_factory.mktemp("issuer"), ISSUER, AUDIENCE)


@pytest.fixture
def jwks() -> Iterator[Jwks]:
    """An issuer's keys over HTTP."""
    server = Jwks()
    yield server
    server.stop()


@pytest.fixture
def clock() -> Clock:
    """The clock of the keys' cache, which the test moves."""
    return Clock()


@pytest.fixture(params=["memory", "postgres"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """A store that is empty and migrated, and that this test alone sees."""
    made: Store = (
        create_store({})
        if request.param == "memory"
        else open_store(request.getfixturevalue("database_url"), _CONNECTIONS)
    )
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def api(store: Store, issuer: DevTokens) -> Api:
    return Api(store, issuer)


@pytest.fixture
def hall(api: Api) -> Hall:
    """Four seats at 75 USD, in 40 days."""
    return api.hall()
