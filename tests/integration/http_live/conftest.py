"""The service as processes over a real PostgreSQL, with an issuer of tokens on another port."""

import time
from collections.abc import Iterator

import pytest

from booking_dev.tokens import DevTokens
from tests.integration.cli.program import TOKENS
from tests.integration.http.jwks_server import Jwks
from tests.integration.http_live.live import Live
from tests.integration.postgres.conftest import database_url, postgres_template, stage
from tests.integration.postgres.stage import Stage
from tests.integration.postgres_fixture import databases

__all__ = ["database_url", "jwks", "live", "own_live", "postgres_template", "stage", "tokens"]


@pytest.fixture(scope="session")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> DevTokens:
    """Tokens signed two hours ago, for a day: a server whose clock is an hour off finds them valid too."""
    return DevTokens(
        tmp_path_factory.mktemp("issuer"),
        TOKENS["BOOKING_JWT_ISSUER"],
        TOKENS["BOOKING_JWT_AUDIENCE"],
        clock=lambda: time.time() - 7200,
    )


@pytest.fixture(scope="session")
def jwks(tokens: DevTokens) -> Iterator[Jwks]:
    """The address where the issuer's keys are."""
    server = Jwks()
    server.publish(tokens)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def live(postgres_url: str, postgres_template: str, tokens: DevTokens, jwks: Jwks) -> Iterator[Live]:
    """A service that the tests of a file share: each of them has an event and users of its own."""
    with (
        databases(postgres_url) as create,
        Stage.at(create(template=postgres_template)) as stage,
        Live.over(stage, tokens, jwks) as live,
    ):
        yield live


@pytest.fixture
def own_live(stage: Stage, tokens: DevTokens, jwks: Jwks) -> Iterator[Live]:
    """A service that this test alone calls, and may stop."""
    with Live.over(stage, tokens, jwks) as live:
        yield live
