"""A live service with something to find in it, for tools that read its description."""

from collections.abc import Iterator

import pytest

from booking_dev.tokens import DevTokens
from tests.integration.openapi.scene import Scene, set_scene
from tests.support.jwks import Jwks
from tests.support.live import Live
from tests.support.postgres.fixtures import databases
from tests.support.postgres.stage import Stage

# So that holds end while the tools are at work, and the customers can reserve again.
_WINDOW_SECONDS = "2"


@pytest.fixture(scope="module")
def live(postgres_url: str, postgres_template: str, tokens: DevTokens, jwks: Jwks) -> Iterator[Live]:
    with (
        databases(postgres_url) as create,
        Stage.at(create(template=postgres_template)) as stage,
        Live.over(stage, tokens, jwks, BOOKING_PAYMENT_WINDOW_SECONDS=_WINDOW_SECONDS) as live,
    ):
        yield live


@pytest.fixture(scope="module")
def scene(live: Live) -> Scene:
    """Events, and bookings of the two customers in every status."""
    return set_scene(live.stage)
