"""What the verifier lets in and what it refuses, by a clock of the test's own."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import example, given
from hypothesis import strategies as st
from jwt.algorithms import RSAAlgorithm

from booking_api.auth.keys import FixedKeys
from booking_api.auth.tokens import Identity, TokenRefused
from booking_api.auth.verifier import TokenVerifier

ISSUER = "https://tenant.eu.auth0.com/"
AUDIENCE = "https://booking.example/api"
NOW = 1_800_000_000
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
JWKS = {"keys": [{**RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True), "kid": "one"}]}
GOOD = {"iss": ISSUER, "aud": AUDIENCE, "sub": "auth0|ann", "iat": NOW, "exp": NOW + 600}


class Clock:
    def __init__(self) -> None:
        self.now: float = NOW

    def __call__(self) -> float:
        return self.now


def verifier(clock: Clock | None = None, *, cache_size: int = 100) -> TokenVerifier:
    return TokenVerifier(
        issuer=ISSUER, audience=AUDIENCE, keys=FixedKeys(JWKS), cache_size=cache_size, clock=clock or Clock()
    )


def token(key: rsa.RSAPrivateKey = KEY, kid: str = "one", **claims: Any) -> str:
    """A good token but for `claims`; a claim of None is left out."""
    kept = {name: value for name, value in {**GOOD, **claims}.items() if value is not None}
    return signed(json.dumps(kept).encode(), key=key, header={"alg": "RS256", "typ": "JWT", "kid": kid})


def signed(payload: bytes, *, header: object, key: rsa.RSAPrivateKey = KEY) -> str:
    """Whatever bytes, signed as RS256 signs, without the checks of a library."""
    text = f"{encoded(json.dumps(header).encode())}.{encoded(payload)}"
    return f"{text}.{encoded(RSAAlgorithm(RSAAlgorithm.SHA256).sign(text.encode(), key))}"


def encoded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def refused(text: str, *, clock: Clock | None = None) -> str:
    with pytest.raises(TokenRefused) as caught:
        verifier(clock).verify(f"Bearer {text}")
    return caught.value.reason


def test_a_good_token_names_the_user_and_the_permissions() -> None:
    text = token(permissions=["booking:admin", "read:all"])

    assert verifier().verify(f"Bearer {text}") == Identity(
        user_id="auth0|ann", permissions=frozenset({"booking:admin", "read:all"})
    )


def test_a_token_of_pyjwt_is_good() -> None:
    text = jwt.encode(GOOD, KEY, algorithm="RS256", headers={"kid": "one"})

    assert verifier().verify(f"Bearer {text}") == Identity(user_id="auth0|ann", permissions=frozenset())


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER ", "bEaReR   "])
def test_the_scheme_is_read_in_any_case(scheme: str) -> None:
    assert verifier().verify(scheme + token()).user_id == "auth0|ann"


@pytest.mark.parametrize("before", ["", "Basic ", "Bearer", "Token ", " Bearer ", "Bearer x "])
def test_another_scheme_is_refused(before: str) -> None:
    with pytest.raises(TokenRefused):
        verifier().verify(before + token())


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer "])
def test_no_token_is_refused(header: str | None) -> None:
    with pytest.raises(TokenRefused):
        verifier().verify(header)


def test_auth0_gives_a_list_of_audiences() -> None:
    text = token(aud=["https://tenant.eu.auth0.com/userinfo", AUDIENCE])

    assert verifier().verify(f"Bearer {text}").user_id == "auth0|ann"


NO_TIMES = [str(NOW + 60), True, -1, [NOW], {}, float("nan")]
WRONG: dict[str, list[Any]] = {  # None: the claim is left out
    "iss": [None, ISSUER.rstrip("/"), ISSUER.upper(), ISSUER + "x", [ISSUER], 1],
    "aud": [None, "", AUDIENCE + "/", [], ["other"], [AUDIENCE, 1], {AUDIENCE: 1}, 1, True],
    "sub": [None, "", "x" * 256, 7, ["ann"], "a\x00b", "a\nb", "a\x7fb", "a\x85b", "a\ud800"],
    "exp": [None, *NO_TIMES, 2**60, 10**400, float("inf")],
    "iat": NO_TIMES,
    "nbf": NO_TIMES,
    "permissions": ["booking:admin", {"booking:admin": True}, ["a", 1], [["a"]], 1, False],
}


@pytest.mark.parametrize(("claim", "value"), [(claim, value) for claim in WRONG for value in WRONG[claim]])
def test_a_missing_or_malformed_claim_is_refused(claim: str, value: Any) -> None:
    refused(token(**{claim: value}))


@pytest.mark.parametrize("claim", ["exp", "nbf", "iat", "permissions", "sub", "aud", "iss"])
def test_a_claim_of_null_is_no_claim_left_out(claim: str) -> None:
    refused(signed(json.dumps({**GOOD, claim: None}).encode(), header={"alg": "RS256", "kid": "one"}))


@pytest.mark.parametrize("user_id", ["x", "x" * 255, "ü" * 255, "🎟" * 255, "a b", "auth0|64f"])
def test_a_user_id_has_1_to_255_characters(user_id: str) -> None:
    assert verifier().verify(f"Bearer {token(sub=user_id)}").user_id == user_id


def test_exp_counts_until_the_leeway_of_30_seconds_is_over() -> None:
    clock, text = Clock(), token(exp=NOW)

    for cache_size in (0, 100):
        judge = verifier(clock, cache_size=cache_size)
        clock.now = NOW + 29.999
        assert judge.verify(f"Bearer {text}").user_id == "auth0|ann"
        clock.now = NOW + 30
        with pytest.raises(TokenRefused, match="expired"):
            judge.verify(f"Bearer {text}")


@pytest.mark.parametrize("claim", ["nbf", "iat"])
def test_nbf_and_iat_count_from_30_seconds_before(claim: str) -> None:
    changes: dict[str, Any] = {"exp": NOW + 900, claim: NOW + 100}
    clock, text = Clock(), token(**changes)

    clock.now = NOW + 69.999
    assert refused(text, clock=clock) == "not valid yet"
    clock.now = NOW + 70
    assert verifier(clock).verify(f"Bearer {text}").user_id == "auth0|ann"


def test_iat_and_nbf_may_be_left_out() -> None:
    assert verifier().verify(f"Bearer {token(iat=None)}").user_id == "auth0|ann"


def test_alg_none_is_refused() -> None:
    payload = encoded(json.dumps(GOOD).encode())
    for alg in ("none", "None", "NONE", ""):
        head = encoded(json.dumps({"alg": alg, "kid": "one"}).encode())
        for signature in ("", "AAAA"):
            refused(f"{head}.{payload}.{signature}")


def test_hs256_with_the_public_key_as_its_secret_is_refused() -> None:
    public = KEY.public_key()
    for shape in (serialization.PublicFormat.SubjectPublicKeyInfo, serialization.PublicFormat.PKCS1):
        secret = public.public_bytes(serialization.Encoding.PEM, shape)
        for alg in ("HS256", "RS256"):
            head = encoded(json.dumps({"alg": alg, "kid": "one"}).encode())
            text = f"{head}.{encoded(json.dumps(GOOD).encode())}"
            refused(f"{text}.{encoded(hmac.new(secret, text.encode(), hashlib.sha256).digest())}")


def test_other_algorithms_are_refused_even_when_their_signature_is_right() -> None:
    elliptic = ec.generate_private_key(ec.SECP256R1())
    assert refused(jwt.encode(GOOD, elliptic, algorithm="ES256", headers={"kid": "one"})) == "alg is not RS256"
    for alg in ("RS384", "RS512", "PS256"):
        assert refused(jwt.encode(GOOD, KEY, algorithm=alg, headers={"kid": "one"})) == "alg is not RS256"


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "RS256", "kid": "two"},
        {"alg": ["RS256"], "kid": "one"},
        {"alg": "RS256", "kid": "one", "crit": ["exp"], "exp": 1},
        {"alg": "RS256", "kid": "one", "b64": False},
        {"alg": "RS256", "jwk": JWKS["keys"][0]},
        [],
        "RS256",
        None,
    ],
)
def test_a_header_without_a_known_key_or_with_demands_is_refused(header: object) -> None:
    refused(signed(json.dumps(GOOD).encode(), header=header))


@pytest.mark.parametrize("kid", [{}, {"kid": 1}, {"kid": None}, {"kid": ""}, {"kid": "k" * 256}])
def test_a_kid_that_names_no_key_is_not_even_looked_for(kid: dict[str, object]) -> None:
    assert refused(signed(json.dumps(GOOD).encode(), header={"alg": "RS256", **kid})) == "no usable kid"


def test_another_key_under_our_kid_is_refused() -> None:
    assert refused(token(OTHER_KEY)) == "wrong signature"


@pytest.mark.parametrize("payload", [b"", b"[]", b"null", b"1", b"\xff", b"{", b"[" * 3000, b'{"sub":"\xff"}'])
def test_a_signed_payload_that_is_no_json_object_is_refused(payload: bytes) -> None:
    refused(signed(payload, header={"alg": "RS256", "kid": "one"}))


def test_a_token_above_8192_characters_is_not_looked_at() -> None:
    room = (8192 - len(token(pad=""))) * 3 // 4
    lengths = {len(text): text for text in (token(pad="p" * size) for size in range(room - 4, room + 5))}
    fits = lengths[max(length for length in lengths if length <= 8192)]
    too_long = lengths[min(length for length in lengths if length > 8192)]

    assert verifier().verify(f"Bearer {fits}").user_id == "auth0|ann"
    assert "longer" in refused(too_long)


def test_one_token_has_one_text() -> None:
    text = token()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    # 256 bytes end in a character of which 4 bits count for nothing.
    twin = text[:-1] + alphabet[alphabet.index(text[-1]) + 1]

    for other in (twin, text + "=", text + "==", text + "\n", text + ".", f"{text}.{text}", text[:-1]):
        refused(other)


def _tampered(text: str, place: int, letter: str) -> str:
    place %= len(text)
    return text[:place] + letter + text[place + 1 :]


GOOD_TOKEN = token()


@given(st.text(max_size=300))
@example("a.b.c")
@example("\ud800.\x00.é")
def test_garbage_is_refused_and_nothing_else_happens(garbage: str) -> None:
    for header in (garbage, f"Bearer {garbage}", f"Bearer {garbage}.{garbage}.{garbage}"):
        with pytest.raises(TokenRefused):
            verifier().verify(header)


@given(st.integers(min_value=0), st.characters())
def test_a_changed_token_is_refused_and_nothing_else_happens(place: int, letter: str) -> None:
    changed = _tampered(GOOD_TOKEN, place, letter)
    if changed != GOOD_TOKEN:
        refused(changed)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["iss", "aud", "sub", "exp", "nbf", "iat", "permissions"]), JSON))
def test_signed_claims_of_any_kind_give_an_identity_or_a_refusal(claims: dict[str, object]) -> None:
    text = signed(json.dumps({**GOOD, **claims}).encode(), header={"alg": "RS256", "kid": "one"})
    try:
        who = verifier().verify(f"Bearer {text}")
    except TokenRefused:
        return
    assert 1 <= len(who.user_id) <= 255
    assert all(isinstance(each, str) for each in who.permissions)


@given(st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64"]), JSON))
def test_headers_of_any_kind_are_refused(header: dict[str, object]) -> None:
    refused(signed(b"{}", header=header))


@pytest.mark.parametrize("wrong", [{"issuer": ""}, {"audience": ""}, {"leeway_seconds": -1}, {"cache_size": -1}])
def test_a_verifier_without_its_terms_is_not_made(wrong: dict[str, Any]) -> None:
    terms: dict[str, Any] = {"issuer": ISSUER, "audience": AUDIENCE, "keys": FixedKeys(JWKS)}
    with pytest.raises(ValueError, match="token"):
        TokenVerifier(**{**terms, **wrong})
