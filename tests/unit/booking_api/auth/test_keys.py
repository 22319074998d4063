"""Which entries of a JWKS become keys."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from booking_api.auth.keys import FixedKeys, MalformedKeySet, RemoteKeys, signing_keys
from booking_api.auth.tokens import UnknownKey

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
BARE = RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
OTHER = {**RSAAlgorithm.to_jwk(OTHER_KEY.public_key(), as_dict=True), "kid": "one"}
AUTH0 = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "one", "x5t": "abc", "x5c": ["MIID"]}
ENTRY: dict[str, Any] = {**AUTH0, "n": BARE["n"], "e": BARE["e"]}


@pytest.mark.parametrize("entry", [ENTRY, {**BARE, "kid": "one"}, {"kty": "RSA", "kid": "one", **BARE}])
def test_a_key_for_rs256_is_found_by_its_kid(entry: dict[str, Any]) -> None:
    keys = FixedKeys({"keys": [entry]})

    assert keys.key("one") == KEY.public_key()
    assert keys.key("one") is keys.key("one")
    with pytest.raises(UnknownKey):
        keys.key("two")


def _small() -> dict[str, Any]:
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    return {**RSAAlgorithm.to_jwk(small.public_key(), as_dict=True), "kid": "one"}


@pytest.mark.parametrize(
    "entry",
    [
        {**ENTRY, "use": "enc"},
        {**ENTRY, "alg": "RS512"},
        {**ENTRY, "key_ops": ["encrypt"]},
        {**ENTRY, "key_ops": None},
        {**ENTRY, "kid": 1},
        {**ENTRY, "kty": "oct", "k": "AAAA"},
        {**ENTRY, "n": 5},
        {**ENTRY, "n": "!"},
        {**ENTRY, "e": "AQ"},
        {name: value for name, value in ENTRY.items() if name != "kid"},
        {name: value for name, value in ENTRY.items() if name != "n"},
        {**RSAAlgorithm.to_jwk(KEY, as_dict=True), "key_ops": ["verify"], "kid": "one"},  # a private key
        {**ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()).public_key(), as_dict=True), "kid": "one"},
        _small(),
        None,
        "one",
    ],
)
def test_another_entry_is_left_out(entry: object) -> None:
    keys = signing_keys({"keys": [entry, {**ENTRY, "kid": "good"}]})

    assert list(keys) == ["good"]


def test_the_first_of_two_with_one_kid_counts() -> None:
    assert signing_keys({"keys": [ENTRY, OTHER]})["one"] == KEY.public_key()


def test_a_key_that_stays_is_the_same_object_and_one_that_changed_is_not() -> None:
    before = signing_keys({"keys": [ENTRY]})

    assert signing_keys({"keys": [ENTRY]}, before)["one"] is before["one"]
    assert signing_keys({"keys": [OTHER]}, before)["one"] == OTHER_KEY.public_key()


@pytest.mark.parametrize("document", [None, [], "keys", {}, {"keys": None}, {"keys": {}}, {"keys": "one"}])
def test_another_document_is_no_jwks(document: Any) -> None:
    with pytest.raises(MalformedKeySet):
        FixedKeys(document)


def test_a_jwks_may_be_empty() -> None:
    assert signing_keys({"keys": []}) == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from(["kty", "n", "e", "d", "alg", "use", "key_ops", "kid", "oth", "p"]), JSON))
def test_entries_of_any_kind_give_keys_or_nothing(changes: dict[str, Any]) -> None:
    assert len(signing_keys({"keys": [{**ENTRY, **changes}]})) <= 1


@pytest.mark.parametrize("url", ["", "issuer.test/jwks.json", "file:///etc/passwd", "data:,x"])
def test_the_jwks_has_an_http_address(url: str) -> None:
    with pytest.raises(ValueError, match="JWKS"):
        RemoteKeys(url)


def test_a_key_id_of_the_caller_reaches_a_log_cut_and_escaped() -> None:
    with pytest.raises(UnknownKey) as caught:
        FixedKeys({"keys": []}).key("line\nbreak" + "x" * 5000)

    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 120
