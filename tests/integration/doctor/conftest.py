"""An issuer of tokens to break."""

from collections.abc import Iterator

import pytest

from booking_dev.tokens import DevTokens
from tests.support.jwks import Jwks


@pytest.fixture
def jwks(tokens: DevTokens) -> Iterator[Jwks]:
    """The address where the issuer's keys are, of this test alone."""
    server = Jwks()
    server.publish(tokens)
    yield server
    server.stop()
