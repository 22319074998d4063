"""A service that lacks nothing, to take away from."""

from collections.abc import Iterator

import pytest

from booking_dev.tokens import DevTokens
from tests.integration.cli.program import TOKENS
from tests.integration.http.jwks_server import Jwks
from tests.integration.postgres.conftest import database_url, postgres_template

__all__ = ["database_url", "jwks", "postgres_template", "tokens"]


@pytest.fixture(scope="session")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> DevTokens:
    return DevTokens(tmp_path_factory.mktemp("issuer"), TOKENS["BOOKING_JWT_ISSUER"], TOKENS["BOOKING_JWT_AUDIENCE"])


@pytest.fixture
def jwks(tokens: DevTokens) -> Iterator[Jwks]:
    """The address where the issuer's keys are."""
    server = Jwks()
    server.publish(tokens)
    yield server
    server.stop()
