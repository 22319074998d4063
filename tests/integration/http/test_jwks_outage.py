"""Keys over real HTTP while the JWKS is broken, silent or gone."""

from __future__ import annotations

import threading
import time

import pytest

from booking_api.auth.keys import RemoteKeys
from booking_api.auth.tokens import KeysUnavailable, UnknownKey
from booking_api.auth.verifier import TokenVerifier
from booking_dev.tokens import DevTokens
from tests.support.jwks import Clock, Jwks, kid, settle

ISSUER, AUDIENCE = "https://issuer.test/", "booking"
OLD, COOLDOWN = 600, 5


@pytest.fixture
def keys(jwks: Jwks, clock: Clock) -> RemoteKeys:
    return RemoteKeys(jwks.url, timeout_seconds=5, max_age_seconds=OLD, cooldown_seconds=COOLDOWN, clock=clock)


@pytest.fixture(scope="module")
def ann(tmp_path_factory: pytest.TempPathFactory) -> DevTokens:
    return DevTokens(tmp_path_factory.mktemp("before"), ISSUER, AUDIENCE)


@pytest.fixture(scope="module")
def bob(tmp_path_factory: pytest.TempPathFactory) -> DevTokens:
    return DevTokens(tmp_path_factory.mktemp("after"), ISSUER, AUDIENCE)


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, b""), (302, b""), (200, b"<html>"), (200, b"[]"), (200, b"{}"), (200, b"\xff"), (200, b"[" * 20_000)],
)
def test_the_last_keys_are_served_while_the_jwks_is_broken(
    jwks: Jwks, clock: Clock, keys: RemoteKeys, ann: DevTokens, bob: DevTokens, status: int, body: bytes
) -> None:
    jwks.publish(ann)
    first = keys.key(kid(ann))
    jwks.status, jwks.body = status, body

    for _ in range(3):
        clock.now += 100 * OLD
        assert keys.key(kid(ann)) is first
        settle()

    jwks.publish(ann, bob)
    clock.now += COOLDOWN
    assert keys.key(kid(ann)) is first
    settle()
    assert keys.key(kid(ann)) is first
    assert keys.key(kid(bob)) is not keys.key(kid(ann))


def test_the_last_keys_are_served_when_nothing_listens_any_more(clock: Clock, ann: DevTokens) -> None:
    jwks = Jwks()
    jwks.publish(ann)
    keys = RemoteKeys(jwks.url, max_age_seconds=OLD, cooldown_seconds=COOLDOWN, clock=clock)
    first = keys.key(kid(ann))
    jwks.stop()

    clock.now += 2 * OLD + 1

    assert keys.key(kid(ann)) is first
    settle()


def test_a_broken_jwks_is_tried_once_per_cooldown(jwks: Jwks, clock: Clock, keys: RemoteKeys, ann: DevTokens) -> None:
    jwks.publish(ann)
    keys.key(kid(ann))
    jwks.status = 500

    clock.now += 2 * OLD + 1
    for _ in range(50):
        keys.key(kid(ann))

    assert jwks.fetches == 2


def test_in_an_outage_nobody_waits_for_a_jwks_that_hangs(
    jwks: Jwks, clock: Clock, keys: RemoteKeys, ann: DevTokens
) -> None:
    jwks.publish(ann)
    keys.key(kid(ann))
    jwks.status = 500
    clock.now += 2 * OLD + 1
    keys.key(kid(ann))
    jwks.gate.clear()
    clock.now += COOLDOWN

    started = time.monotonic()
    keys.key(kid(ann))
    for number in range(5):
        with pytest.raises(UnknownKey):
            keys.key(f"made up {number}")

    assert time.monotonic() - started < 2  # the timeout is 5, and five times the short wait too


def test_in_an_outage_the_last_keys_need_no_wait_but_for_the_next_attempt(
    jwks: Jwks, clock: Clock, keys: RemoteKeys, ann: DevTokens
) -> None:
    jwks.publish(ann)
    first = keys.key(kid(ann))
    jwks.status = 500
    clock.now += 100 * OLD
    assert keys.current(kid(ann)) is None
    keys.key(kid(ann))
    settle()

    assert keys.current(kid(ann)) is first, "nobody may try before the cooldown is over"
    clock.now += COOLDOWN + 1
    assert keys.current(kid(ann)) is None, "somebody has to try again"
    jwks.gate.clear()
    keys.key(kid(ann))
    assert keys.current(kid(ann)) is first, "the attempt is under way"
    clock.now += 11
    assert keys.current(kid(ann)) is None, "it takes longer than both timeouts"


def test_old_keys_need_no_wait_while_new_ones_arrive(
    jwks: Jwks, clock: Clock, keys: RemoteKeys, ann: DevTokens, bob: DevTokens
) -> None:
    jwks.publish(ann)
    first = keys.key(kid(ann))
    jwks.publish(bob)
    jwks.gate.clear()
    clock.now += OLD + 1

    assert keys.current(kid(ann)) is None
    assert keys.key(kid(ann)) is first
    assert keys.current(kid(ann)) is first
    jwks.gate.set()
    settle()

    assert keys.current(kid(ann)) is None, "the issuer has withdrawn it"
    assert keys.current(kid(bob)) is not None


def test_keys_that_were_not_needed_for_long_are_replaced_first(
    jwks: Jwks, clock: Clock, keys: RemoteKeys, ann: DevTokens, bob: DevTokens
) -> None:
    jwks.publish(ann)
    keys.key(kid(ann))
    jwks.publish(bob)
    clock.now += 2 * OLD + 1

    assert keys.current(kid(ann)) is None
    with pytest.raises(UnknownKey):
        keys.key(kid(ann))


def test_a_new_key_is_found_at_once_when_an_outage_is_over(
    jwks: Jwks, clock: Clock, keys: RemoteKeys, ann: DevTokens, bob: DevTokens
) -> None:
    jwks.publish(ann)
    keys.key(kid(ann))
    jwks.status = 500
    with pytest.raises(UnknownKey):
        keys.key(kid(bob))

    jwks.publish(ann, bob)
    clock.now += COOLDOWN

    assert keys.key(kid(bob)) is not keys.key(kid(ann))


def test_a_fetch_that_hangs_is_given_up_and_its_late_answer_does_not_count(
    jwks: Jwks, clock: Clock, keys: RemoteKeys, ann: DevTokens, bob: DevTokens
) -> None:
    jwks.publish(ann)
    keys.key(kid(ann))
    closed, opened = threading.Event(), jwks.gate
    jwks.gate = closed
    clock.now += OLD + 1
    keys.key(kid(ann))
    assert [jwks.reached.acquire(timeout=4) for _ in range(2)] == [True, True]
    jwks.gate = opened
    jwks.publish(bob)

    clock.now += 50
    keys.key(kid(ann))
    assert jwks.fetches == 2
    clock.now += 1
    keys.key(kid(ann))
    assert keys.key(kid(bob)) is not None
    closed.set()
    settle()

    assert jwks.fetches == 3
    with pytest.raises(UnknownKey):
        keys.key(kid(ann))


def test_without_any_key_it_is_unavailable_and_tried_again_every_second(
    jwks: Jwks, clock: Clock, keys: RemoteKeys, ann: DevTokens
) -> None:
    verifier = TokenVerifier(issuer=ISSUER, audience=AUDIENCE, keys=keys)
    jwks.status = 503
    for _ in range(5):
        with pytest.raises(KeysUnavailable) as caught:
            verifier.verify(f"Bearer {ann.sign('ann')}")
        assert caught.value.retry_after_seconds >= 1
    assert jwks.fetches == 1

    jwks.publish(ann)
    clock.now += 1

    assert verifier.verify(f"Bearer {ann.sign('ann')}").user_id == "ann"
    assert jwks.fetches == 2


def test_a_jwks_that_never_answers_holds_nobody_longer_than_twice_the_timeout(
    jwks: Jwks, clock: Clock, ann: DevTokens
) -> None:
    keys = RemoteKeys(jwks.url, timeout_seconds=0.1, clock=clock)
    jwks.gate.clear()

    with pytest.raises(KeysUnavailable):
        keys.key(kid(ann))

    assert jwks.fetches == 1
    settle()  # with the gate still closed
    assert "jwks" not in [thread.name for thread in threading.enumerate()]
