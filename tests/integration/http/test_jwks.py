"""Keys over real HTTP: rotation, withdrawal and made-up key ids."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from booking_api.auth.keys import RemoteKeys
from booking_api.auth.tokens import TokenRefused, UnknownKey
from booking_api.auth.verifier import TokenVerifier
from booking_dev.tokens import DevTokens
from tests.support.jwks import Clock, Jwks, kid, settle

ISSUER, AUDIENCE = "https://issuer.test/", "booking"
OLD, COOLDOWN = 600, 5


@pytest.fixture
def keys(jwks: Jwks, clock: Clock) -> RemoteKeys:
    return RemoteKeys(jwks.url, timeout_seconds=5, max_age_seconds=OLD, cooldown_seconds=COOLDOWN, clock=clock)


@pytest.fixture
def verifier(keys: RemoteKeys) -> TokenVerifier:
    return TokenVerifier(issuer=ISSUER, audience=AUDIENCE, keys=keys)


@pytest.fixture(scope="module")
def ann(tmp_path_factory: pytest.TempPathFactory) -> DevTokens:
    return DevTokens(tmp_path_factory.mktemp("before"), ISSUER, AUDIENCE)


@pytest.fixture(scope="module")
def bob(tmp_path_factory: pytest.TempPathFactory) -> DevTokens:
    return DevTokens(tmp_path_factory.mktemp("after"), ISSUER, AUDIENCE)


def lets_in(verifier: TokenVerifier, text: str) -> bool:
    try:
        verifier.verify(f"Bearer {text}")
    except TokenRefused:
        return False
    return True


def test_nothing_is_fetched_before_the_first_token_and_then_once_for_all(jwks: Jwks, ann: DevTokens) -> None:
    jwks.publish(ann)
    text = ann.sign("ann")
    verifiers = [TokenVerifier(issuer=ISSUER, audience=AUDIENCE, keys=RemoteKeys(jwks.url)) for _ in range(20)]
    assert jwks.fetches == 0

    with ThreadPoolExecutor(8) as pool:
        for number, verifier in enumerate(verifiers, start=1):
            assert all(pool.map(lambda judge: lets_in(judge, text), [verifier] * 8))
            assert jwks.fetches == number


def test_a_new_key_is_found_at_once(jwks: Jwks, verifier: TokenVerifier, ann: DevTokens, bob: DevTokens) -> None:
    jwks.publish(ann)
    assert lets_in(verifier, ann.sign("ann"))

    jwks.publish(ann, bob)

    assert lets_in(verifier, bob.sign("bob"))
    assert lets_in(verifier, ann.sign("ann"))
    assert jwks.fetches == 2


def test_made_up_key_ids_do_not_hammer_the_issuer(
    jwks: Jwks, clock: Clock, keys: RemoteKeys, ann: DevTokens, bob: DevTokens
) -> None:
    jwks.publish(ann)
    keys.key(kid(ann))

    def ask(number: int) -> None:
        with pytest.raises(UnknownKey):
            keys.key(f"made up {number}")

    for _ in range(3):
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(ask, range(200)))
    assert jwks.fetches == 2

    jwks.publish(ann, bob)
    clock.now += COOLDOWN - 0.01
    with pytest.raises(UnknownKey):
        keys.key(kid(bob))
    clock.now += 0.01
    assert keys.key(kid(bob)) is not keys.key(kid(ann))
    assert jwks.fetches == 3


def test_a_removed_key_refuses_its_remembered_tokens_after_the_refresh(
    jwks: Jwks, clock: Clock, keys: RemoteKeys, verifier: TokenVerifier, ann: DevTokens, bob: DevTokens
) -> None:
    jwks.publish(ann, bob)
    hers, his = ann.sign("ann"), bob.sign("bob")
    assert lets_in(verifier, hers)
    assert lets_in(verifier, his)
    jwks.publish(bob)

    clock.now += OLD
    assert lets_in(verifier, hers)
    settle()
    assert jwks.fetches == 1

    clock.now += 1
    jwks.gate.clear()
    assert lets_in(verifier, hers)  # nobody waits: the old keys count until the new ones are there
    assert jwks.reached.acquire(timeout=10)
    jwks.gate.set()
    settle()

    assert not lets_in(verifier, hers)
    assert lets_in(verifier, his)


def test_after_a_long_silence_the_first_caller_waits_for_fresh_keys(
    jwks: Jwks, clock: Clock, verifier: TokenVerifier, ann: DevTokens, bob: DevTokens
) -> None:
    jwks.publish(ann)
    hers = ann.sign("ann")
    assert lets_in(verifier, hers)
    jwks.publish(bob)

    clock.now += 2 * OLD + 1

    assert not lets_in(verifier, hers)


def test_an_empty_jwks_withdraws_every_key(jwks: Jwks, clock: Clock, verifier: TokenVerifier, ann: DevTokens) -> None:
    jwks.publish(ann)
    hers = ann.sign("ann")
    assert lets_in(verifier, hers)
    jwks.publish()

    clock.now += 2 * OLD + 1

    assert not lets_in(verifier, hers)
