"""A process that has never had keys of the issuer is not ready; it becomes ready by itself, and stays so."""

import json
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from booking_api.auth.keys import RemoteKeys
from booking_dev.tokens import DevTokens
from booking_memory.adapter import create_store
from tests.support.api import AUDIENCE, ISSUER, Api, data_of, error_of
from tests.support.jwks import Clock, Jwks, settle

COOLDOWN = 5


@pytest.fixture
def tokens(tmp_path: Path) -> DevTokens:
    return DevTokens(tmp_path, ISSUER, AUDIENCE)


@pytest.fixture
def api(jwks: Jwks, clock: Clock, tokens: DevTokens) -> Api:
    keys = RemoteKeys(jwks.url, cooldown_seconds=COOLDOWN, clock=clock)
    return Api(create_store({}), tokens, keys=keys)


def reason(api: Api) -> str:
    """READY, or why it is not."""
    answer = api.get("/readyz", user=None)
    if answer.status_code == 200:
        return str(data_of(answer)["status"])
    assert error_of(answer) == (503, "SERVICE_BUSY")
    assert answer.headers["Retry-After"] == "1"
    return str(json.loads(answer.data)["error"]["details"]["reason"])


@pytest.mark.parametrize(
    ("status", "body"), [(404, b""), (500, b""), (302, b""), (200, b"<html>"), (200, b'{"keys": []}'), (200, b"{}")]
)
def test_it_is_not_ready_without_keys_and_ready_as_soon_as_there_are(
    api: Api, jwks: Jwks, clock: Clock, tokens: DevTokens, status: int, body: bytes
) -> None:
    jwks.status, jwks.body = status, body
    with capture_logs() as lines:
        for _ in range(20):
            assert reason(api) == "no_signing_keys"
    assert jwks.fetches == 1, "however often it is asked"
    assert {"readiness.trouble", ISSUER} <= {str(line.get(key)) for line in lines for key in ("event", "issuer")}

    jwks.publish(tokens)
    clock.now += COOLDOWN
    assert reason(api) == "READY"
    assert api.get("/api/v1/events").status_code == 200


def test_it_stays_ready_while_the_issuer_is_down(api: Api, jwks: Jwks, clock: Clock, tokens: DevTokens) -> None:
    jwks.publish(tokens)
    assert reason(api) == "READY"
    jwks.status, jwks.body = 500, b""

    for _ in range(3):
        clock.now += 10_000
        assert reason(api) == "READY"
        assert api.get("/api/v1/events").status_code == 200
        settle()
    fetches = jwks.fetches
    assert reason(api) == "READY"
    assert jwks.fetches == fetches, "readiness fetches nothing any more"


def test_keys_that_a_request_has_fetched_are_enough(api: Api, jwks: Jwks, tokens: DevTokens) -> None:
    jwks.publish(tokens)
    assert api.get("/api/v1/events").status_code == 200

    assert reason(api) == "READY"
    assert jwks.fetches == 1


def test_a_slow_issuer_holds_one_probe_for_a_second(api: Api, jwks: Jwks, tokens: DevTokens) -> None:
    jwks.publish(tokens)
    jwks.gate.clear()

    assert [reason(api) for _ in range(5)] == ["no_signing_keys"] * 5
    jwks.gate.set()
    settle()
    assert reason(api) == "READY"
