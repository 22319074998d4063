"""A remembered token is trusted as long as its time and its key last, and the memory is bounded."""

from __future__ import annotations

from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, generate_private_key

from booking_api.auth.keys import FixedKeys
from booking_api.auth.tokens import Identity, TokenRefused, UnknownKey
from booking_api.auth.verifier import TokenCache, TokenVerifier, VerifiedToken
from booking_dev.tokens import DevTokens

ISSUER, AUDIENCE, NOW = "https://issuer.test/", "booking", 1_800_000_000
PUBLIC_KEY = generate_private_key(public_exponent=65537, key_size=2048).public_key()


class CountedKey:
    """A key that counts how often it verified."""

    def __init__(self, key: RSAPublicKey) -> None:
        self.key = key
        self.uses = 0

    def verify(self, *arguments: Any) -> None:
        self.uses += 1
        self.key.verify(*arguments)


class ChangingKeys:
    """Whatever key the test puts in, or none."""

    def __init__(self, key: object) -> None:
        self.now_in_use = key

    def key(self, kid: str) -> RSAPublicKey:
        if self.now_in_use is None:
            raise UnknownKey(kid)
        return self.now_in_use  # type: ignore[return-value]

    def current(self, kid: str) -> RSAPublicKey | None:
        return self.now_in_use  # type: ignore[return-value]

    def ensure_loaded(self) -> bool:
        return self.now_in_use is not None


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> DevTokens:
    return DevTokens(tmp_path_factory.mktemp("issuer"), ISSUER, AUDIENCE, clock=lambda: NOW)


def public_key(issuer: DevTokens) -> RSAPublicKey:
    jwks = issuer.jwks()
    return FixedKeys(jwks).key(jwks["keys"][0]["kid"])


def verifier(keys: ChangingKeys, cache_size: int = 10) -> TokenVerifier:
    return TokenVerifier(issuer=ISSUER, audience=AUDIENCE, keys=keys, cache_size=cache_size, clock=lambda: NOW)


@pytest.mark.parametrize(("cache_size", "uses"), [(0, 3), (10, 1)])
def test_a_remembered_token_is_not_verified_again(issuer: DevTokens, cache_size: int, uses: int) -> None:
    key = CountedKey(public_key(issuer))
    judge, text = verifier(ChangingKeys(key), cache_size), issuer.sign("ann", ["read"])

    answers = [judge.verify(f"Bearer {text}") for _ in range(3)]

    assert answers == [Identity(user_id="ann", permissions=frozenset({"read"}))] * 3
    assert key.uses == uses


def test_only_what_was_verified_and_still_holds_is_known_without_waiting(issuer: DevTokens) -> None:
    keys = ChangingKeys(public_key(issuer))
    now = [NOW]
    judge = TokenVerifier(issuer=ISSUER, audience=AUDIENCE, keys=keys, clock=lambda: now[0])
    header = f"Bearer {issuer.sign('ann')}"

    assert judge.cached_identity(header) is None
    assert judge.cached_identity(None) is None
    assert judge.cached_identity("Basic YW5uOg==") is None
    judge.verify(header)
    assert judge.cached_identity(header) == Identity(user_id="ann", permissions=frozenset())
    keys.now_in_use, kept = None, keys.now_in_use
    assert judge.cached_identity(header) is None
    keys.now_in_use = kept
    now[0] += 100 * 86400
    assert judge.cached_identity(header) is None


class KeysInMemory(ChangingKeys):
    """Keys that are in memory, or would have to be fetched: a fetch fails the test."""

    def key(self, kid: str) -> RSAPublicKey:
        raise AssertionError("a fetch was needed")


@pytest.mark.parametrize("cache_size", [0, 10])
def test_a_new_token_is_verified_at_once_if_its_key_is_in_memory(issuer: DevTokens, cache_size: int) -> None:
    key = CountedKey(public_key(issuer))
    judge, header = verifier(KeysInMemory(key), cache_size), f"Bearer {issuer.sign('ann')}"

    identities = [judge.verify_at_once(header) for _ in range(2)]

    assert identities == [Identity(user_id="ann", permissions=frozenset())] * 2
    assert key.uses == (1 if cache_size else 2)


@pytest.mark.parametrize("header", [None, "Basic YW5uOg==", "Bearer not.a.token", "Bearer " + "x" * 9000])
def test_a_refused_token_is_none_at_once(issuer: DevTokens, header: str | None) -> None:
    assert verifier(KeysInMemory(public_key(issuer))).verify_at_once(header) is None


def test_a_token_of_another_key_is_none_at_once(issuer: DevTokens) -> None:
    assert verifier(KeysInMemory(PUBLIC_KEY)).verify_at_once(f"Bearer {issuer.sign('ann')}") is None


def test_a_key_that_is_due_for_a_fetch_is_waited_for_by_nobody_and_forgets_nothing(issuer: DevTokens) -> None:
    key = CountedKey(public_key(issuer))
    keys = KeysInMemory(key)
    judge, header = verifier(keys), f"Bearer {issuer.sign('ann')}"
    stranger = f"Bearer {issuer.sign('bob')}"
    assert judge.verify_at_once(header) is not None

    keys.now_in_use = None
    assert judge.verify_at_once(header) is None
    assert judge.verify_at_once(stranger) is None

    keys.now_in_use = key
    assert judge.verify_at_once(header) is not None
    assert key.uses == 1


def test_a_remembered_token_that_has_ended_is_none_at_once(issuer: DevTokens) -> None:
    now = [NOW]
    keys = KeysInMemory(public_key(issuer))
    judge = TokenVerifier(issuer=ISSUER, audience=AUDIENCE, keys=keys, clock=lambda: now[0])
    header = f"Bearer {issuer.sign('ann')}"
    assert judge.verify_at_once(header) is not None

    now[0] += 100 * 86400

    assert judge.verify_at_once(header) is None


def test_a_remembered_token_is_refused_once_its_key_is_gone(issuer: DevTokens) -> None:
    keys = ChangingKeys(public_key(issuer))
    judge, text = verifier(keys), issuer.sign("ann")
    judge.verify(f"Bearer {text}")

    keys.now_in_use = None

    with pytest.raises(TokenRefused):
        judge.verify(f"Bearer {text}")


def test_a_remembered_token_is_verified_again_when_its_kid_has_another_key(issuer: DevTokens, tmp_path: Path) -> None:
    keys = ChangingKeys(public_key(issuer))
    judge, text = verifier(keys), issuer.sign("ann")
    judge.verify(f"Bearer {text}")

    keys.now_in_use = public_key(issuer)  # the same numbers in another object
    assert judge.verify(f"Bearer {text}").user_id == "ann"

    keys.now_in_use = PUBLIC_KEY
    with pytest.raises(TokenRefused, match="wrong signature"):
        judge.verify(f"Bearer {text}")


def test_a_refused_token_is_not_remembered(issuer: DevTokens) -> None:
    keys = ChangingKeys(PUBLIC_KEY)
    judge, text = verifier(keys), issuer.sign("ann")
    with pytest.raises(TokenRefused):
        judge.verify(f"Bearer {text}")

    keys.now_in_use = public_key(issuer)

    assert judge.verify(f"Bearer {text}").user_id == "ann"


def remembered(user_id: str, *, ends: float = NOW + 600) -> VerifiedToken:
    return VerifiedToken(
        identity=Identity(user_id=user_id, permissions=frozenset()),
        claims={},
        begins=0,
        ends=ends,
        kid="one",
        key=PUBLIC_KEY,
    )


def test_the_memory_keeps_the_latest_when_it_is_full() -> None:
    memory = TokenCache(10)

    for number in range(100):
        memory.add(f"token {number}", remembered(str(number)))
        assert len(memory) <= 10

    assert [number for number in range(100) if memory.get(f"token {number}")] == list(range(90, 100))


def test_a_token_that_is_added_again_is_the_latest() -> None:
    memory = TokenCache(2)
    for text in ("a", "b", "a", "c"):
        memory.add(text, remembered(text))

    assert [text for text in "abc" if memory.get(text)] == ["a", "c"]


def test_a_forgotten_token_is_gone_and_the_others_are_not() -> None:
    memory = TokenCache(10)
    for text in ("a", "b"):
        memory.add(text, remembered(text))

    memory.remove("a")
    memory.remove("never there")

    assert (memory.get("a"), memory.get("b")) == (None, remembered("b"))


def test_a_memory_of_none_and_of_one() -> None:
    none, one = TokenCache(0), TokenCache(1)
    for number in range(3):
        none.add(f"token {number}", remembered(str(number)))
        one.add(f"token {number}", remembered(str(number)))

    assert len(none) == 0
    assert one.get("token 2") == remembered("2")
    assert len(one) == 1


def test_the_memory_stays_bounded_and_true_under_parallel_use() -> None:
    memory, wrong = TokenCache(50), []

    def use(start: int) -> None:
        for number in range(start, start + 2000):
            memory.add(f"token {number}", remembered(str(number)))
            found = memory.get(f"token {number - 3}")
            if found is not None and found.identity.user_id != str(number - 3):
                wrong.append(number)
            memory.remove(f"token {number - 5}")

    threads = [Thread(target=use, args=(1000 * each,)) for each in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert wrong == []
    assert len(memory) <= 50
