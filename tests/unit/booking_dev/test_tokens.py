"""The issuer for one machine: its key is made once, kept private, and verifies what it signs."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from stat import S_IMODE

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from booking_api.auth.keys import FixedKeys
from booking_api.auth.tokens import Identity, TokenRefused
from booking_api.auth.verifier import TokenVerifier
from booking_dev.tokens import KEY_FILE, DevKeyUnusable, DevTokens

ISSUER, AUDIENCE, NOW = "http://127.0.0.1:8000/", "booking-dev", 1_800_000_000


def issuer(directory: Path) -> DevTokens:
    return DevTokens(directory, ISSUER, AUDIENCE, clock=lambda: NOW)


def verifier(tokens: DevTokens, *, now: float = NOW) -> TokenVerifier:
    return TokenVerifier(
        issuer=ISSUER, audience=AUDIENCE, keys=FixedKeys(tokens.jwks()), leeway_seconds=0, clock=lambda: now
    )


def test_what_it_signs_is_valid_for_the_api(tmp_path: Path) -> None:
    tokens = issuer(tmp_path)

    who = verifier(tokens).verify(f"Bearer {tokens.sign('auth0|ann', ['booking:admin'])}")

    assert who == Identity(user_id="auth0|ann", permissions=frozenset({"booking:admin"}))
    assert verifier(tokens).verify(f"Bearer {tokens.sign('bob')}").permissions == frozenset()


def test_a_token_lives_as_long_as_was_asked(tmp_path: Path) -> None:
    tokens = issuer(tmp_path)
    text = tokens.sign("ann", lifetime_seconds=60)

    assert verifier(tokens, now=NOW + 59.9).verify(f"Bearer {text}").user_id == "ann"
    with pytest.raises(TokenRefused, match="expired"):
        verifier(tokens, now=NOW + 60).verify(f"Bearer {text}")


def test_the_key_is_made_at_the_first_start_and_used_ever_after(tmp_path: Path) -> None:
    directory = tmp_path / "not" / "there" / "yet"
    first = issuer(directory)
    pem = (directory / KEY_FILE).read_bytes()

    again = issuer(directory)

    assert again.jwks() == first.jwks()
    assert (directory / KEY_FILE).read_bytes() == pem
    assert verifier(again).verify(f"Bearer {first.sign('ann')}").user_id == "ann"
    assert issuer(tmp_path).jwks() != first.jwks()


def test_the_key_is_readable_by_its_owner_alone_and_nothing_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).with_suffix(".new").write_text("half a key, of a start that was killed")

    issuer(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]
    assert S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600


def test_starts_at_once_end_up_with_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda _: issuer(tmp_path).jwks(), range(6)))

    assert made == [issuer(tmp_path).jwks()] * 6


def test_the_jwks_holds_the_public_key_alone_under_its_thumbprint(tmp_path: Path) -> None:
    tokens = issuer(tmp_path)

    (key,) = tokens.jwks()["keys"]

    assert set(key) == {"kty", "use", "alg", "kid", "n", "e"}
    assert (key["kty"], key["use"], key["alg"]) == ("RSA", "sig", "RS256")
    members = f'{{"e":"{key["e"]}","kty":"RSA","n":"{key["n"]}"}}'  # RFC 7638 §3
    assert key["kid"] == urlsafe_b64encode(sha256(members.encode()).digest()).rstrip(b"=").decode()
    assert jwt.get_unverified_header(tokens.sign("ann"))["kid"] == key["kid"]
    assert json.loads(json.dumps(tokens.jwks())) == tokens.jwks()


@pytest.mark.parametrize("user_id", ["", "x" * 256, "a\x00b", "a\ud800"])
def test_an_unusable_user_id_is_not_signed(tmp_path: Path, user_id: str) -> None:
    with pytest.raises(ValueError, match="1 to 255"):
        issuer(tmp_path).sign(user_id)


def _pem(key: PrivateKeyTypes, password: bytes | None = None) -> bytes:
    protection = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection)


def test_a_file_without_a_usable_key_is_named_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / KEY_FILE
    strong = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for content in (
        b"",
        b"not a key",
        _pem(strong, b"password"),
        _pem(ec.generate_private_key(ec.SECP256R1())),
        _pem(ed25519.Ed25519PrivateKey.generate()),
        _pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)),
    ):
        path.write_bytes(content)
        with pytest.raises(DevKeyUnusable, match=KEY_FILE):
            issuer(tmp_path)
        assert path.read_bytes() == content
