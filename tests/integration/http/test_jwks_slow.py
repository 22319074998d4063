"""A JWKS that takes its time: whoever asks for a key that is not known holds no thread for long, and is not refused."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from booking_api.auth.keys import BRIEF_WAIT_SECONDS, SHORT_WAIT_SECONDS, RemoteKeys
from booking_api.auth.tokens import KeysUnavailable, UnknownKey
from booking_dev.tokens import DevTokens
from tests.support.jwks import Clock, Jwks, kid, settle

ISSUER, AUDIENCE = "https://issuer.test/", "booking"
SLACK = 0.5  # the machine may be busy
CROWD = 60


@pytest.fixture
def jwks(ann: DevTokens) -> Iterator[Jwks]:
    server = Jwks()
    server.publish(ann)
    yield server
    server.stop()


@pytest.fixture
def keys(jwks: Jwks, ann: DevTokens) -> RemoteKeys:
    """They know Ann's; their clock stands still."""
    keys = RemoteKeys(jwks.url, timeout_seconds=10, clock=Clock())
    keys.key(kid(ann))
    return keys


@pytest.fixture(scope="module")
def ann(tmp_path_factory: pytest.TempPathFactory) -> DevTokens:
    return DevTokens(tmp_path_factory.mktemp("before"), ISSUER, AUDIENCE)


@pytest.fixture(scope="module")
def bob(tmp_path_factory: pytest.TempPathFactory) -> DevTokens:
    return DevTokens(tmp_path_factory.mktemp("after"), ISSUER, AUDIENCE)


def seconds(ask: Callable[[], object], error: type[Exception]) -> float:
    """How long it takes to hear that."""
    start = time.monotonic()
    with pytest.raises(error):
        ask()
    return time.monotonic() - start


def test_of_many_with_unknown_keys_one_waits(jwks: Jwks, keys: RemoteKeys) -> None:
    jwks.gate.clear()
    with ThreadPoolExecutor(CROWD) as threads:
        asked = [partial(keys.key, f"made up {number}") for number in range(CROWD)]
        took = sorted(job.result() for job in [threads.submit(seconds, ask, KeysUnavailable) for ask in asked])

    assert jwks.fetches == 2
    assert took[-2] < BRIEF_WAIT_SECONDS + SLACK < SHORT_WAIT_SECONDS * 0.9 <= took[-1] < SHORT_WAIT_SECONDS + SLACK


def test_who_comes_while_it_has_taken_long_does_not_wait(jwks: Jwks, keys: RemoteKeys, ann: DevTokens) -> None:
    clock = keys._clock
    assert isinstance(clock, Clock)
    jwks.gate.clear()
    seconds(lambda: keys.key("made up"), KeysUnavailable)
    clock.now += BRIEF_WAIT_SECONDS

    assert seconds(lambda: keys.key("another"), KeysUnavailable) < BRIEF_WAIT_SECONDS * 0.9
    assert keys.key(kid(ann)) is keys.key(kid(ann))


def test_a_key_that_was_on_its_way_is_found_later(jwks: Jwks, keys: RemoteKeys, ann: DevTokens, bob: DevTokens) -> None:
    jwks.publish(ann, bob)
    jwks.gate.clear()
    seconds(lambda: keys.key(kid(bob)), KeysUnavailable)
    jwks.gate.set()
    settle()

    assert keys.key(kid(bob)) is not keys.key(kid(ann))
    assert seconds(lambda: keys.key("made up"), UnknownKey) < BRIEF_WAIT_SECONDS


def test_requests_with_a_new_key_share_one_fetch_of_a_healthy_jwks(jwks: Jwks, ann: DevTokens, bob: DevTokens) -> None:
    # The machine may be busy, so the wait is longer than by default.
    keys = RemoteKeys(jwks.url, timeout_seconds=10, brief_wait_seconds=SHORT_WAIT_SECONDS, clock=Clock())
    keys.key(kid(ann))
    jwks.publish(bob)
    with ThreadPoolExecutor(8) as threads:
        found = {id(job.result()) for job in [threads.submit(keys.key, kid(bob)) for _ in range(8)]}

    assert len(found) == 1
    assert jwks.fetches == 2
