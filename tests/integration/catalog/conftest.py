"""A Catalog Service and clients of it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from booking_catalog.client import RestCatalog
from tests.support.catalog_server import CatalogServer, running

Connect = Callable[..., RestCatalog]


@pytest.fixture
def server() -> Iterator[CatalogServer]:
    with running() as server:
        yield server


@pytest.fixture
def connect(server: CatalogServer) -> Iterator[Connect]:
    """Makes clients, impatient ones unless told otherwise, and closes them before the server ends."""
    with ExitStack() as clients:

        def make(url: str | None = None, **settings: Any) -> RestCatalog:
            client = RestCatalog(url or server.url, **{"timeout_seconds": 0.4, **settings})
            return clients.enter_context(closing(client))

        yield make
