"""Tokens: the compact form (RFC 7515 §7.1), and what the claims must contain once the signature was verified.

PyJWT checks base64url character by character in Python, and reads the header once more to find the key: together three
times the cost of the RSA signature itself (ADR 0022). Here each part is decoded once, and a header, which all tokens
under one key share, once for all. PyJWT and cryptography still verify the signature.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

import msgspec
from attrs import frozen
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import RSAAlgorithm

ALGORITHM: Final = "RS256"
LONGEST_KEY_ID: Final = 255  # characters
LONGEST_USER_ID: Final = 255  # characters, as the domain allows

_COMPACT: Final = re.compile(r"([\w-]+)\.([\w-]+)\.([\w-]+)", re.ASCII)
_RS256: Final = RSAAlgorithm(RSAAlgorithm.SHA256)
# A greater number of seconds is not a time, and a float would lose whole seconds.
_LATEST_TIME: Final = 2**53
# C0 and C1 controls (NUL among them), which PostgreSQL or a log rejects, and halves of surrogate pairs.
_UNUSABLE_IN_USER_ID: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class TokenRefused(Exception):
    """The token is absent or invalid (401 UNAUTHENTICATED).

    `reason` is for the log and never for the caller: it would help a forger. It contains no part of a token.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnknownKey(Exception):
    """The issuer has no key with this `kid`: a token that names it is invalid."""

    def __init__(self, kid: str) -> None:
        # The text is the caller's: cut, and escaped by repr, before it can reach a log.
        super().__init__(f"no signing key {kid[:64]!r}")


class KeysUnavailable(Exception):
    """The issuer's keys cannot be fetched now, or not in time, so no token can be verified (503, not 401)."""

    def __init__(self, reason: str, *, retry_after_seconds: int = 1) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds


@frozen(kw_only=True)
class Identity:
    """The caller: `user_id` is the token's `sub` (see is_user_id), `permissions` what the issuer grants."""

    user_id: str
    permissions: frozenset[str]


@frozen(kw_only=True)
class Header:
    """The unverified header of a token: RS256 with the key `kid` (1 to 255 characters)."""

    kid: str
    fields: Mapping[str, Any]


@frozen(kw_only=True)
class CompactToken:
    """A text of the right form, not verified yet."""

    header: Header
    _signed: bytes
    _payload: str
    _signature: str

    def claims(self, key: RSAPublicKey) -> dict[str, Any]:
        """Verify the signature with `key` and return the claims. Raises TokenRefused."""
        signature = _decoded(self._signature, "signature")
        if urlsafe_b64encode(signature).rstrip(b"=") != self._signature.encode():
            # Bits beyond the last byte: otherwise one token would have several texts.
            raise TokenRefused("signature is not canonical base64url")
        if not _RS256.verify(self._signed, key, signature):
            raise TokenRefused("wrong signature")
        return _json_object(self._payload, "payload")


def compact_token(text: str) -> CompactToken:
    """Split a token into its parts. Raises TokenRefused for any other text or algorithm, and without `kid`."""
    form = _COMPACT.fullmatch(text)
    if form is None:
        raise TokenRefused("not three parts in base64url")
    return CompactToken(
        header=_header(form[1]),
        signed=text[: form.end(2)].encode(),
        payload=form[2],
        signature=form[3],
    )


def is_user_id(text: object) -> bool:
    """Whether `text` can name a user: 1 to 255 characters, no control character, no unpaired surrogate."""
    return isinstance(text, str) and 0 < len(text) <= LONGEST_USER_ID and not _UNUSABLE_IN_USER_ID.search(text)


def check_addressed(claims: Mapping[str, Any], *, issuer: str, audience: str) -> None:
    """Raise TokenRefused unless `iss` is exactly `issuer`, and `aud` is `audience` or a list of strings with it."""
    if claims.get("iss") != issuer:
        raise TokenRefused("another issuer")
    audiences = claims.get("aud")
    if isinstance(audiences, str):
        audiences = [audiences]
    if not isinstance(audiences, list) or not all(isinstance(each, str) for each in audiences):
        raise TokenRefused("aud is missing or malformed")
    if audience not in audiences:
        raise TokenRefused("another audience")


def identity_of(claims: Mapping[str, Any]) -> Identity:
    """The identity in `sub` and `permissions` (a list of strings; absent: none). Raises TokenRefused.

    Malformed permissions make the whole token invalid: the issuer creates no such token.
    """
    if not is_user_id(claims.get("sub")):
        raise TokenRefused("sub is missing or cannot be a user's id")
    permissions = claims.get("permissions", [])
    if not isinstance(permissions, list) or not all(isinstance(each, str) for each in permissions):
        raise TokenRefused("permissions is not a list of strings")
    return Identity(user_id=claims["sub"], permissions=frozenset(permissions))


def validity_of(claims: Mapping[str, Any], *, leeway_seconds: int) -> tuple[float, float]:
    """The begin (`nbf` and `iat`, where present) and the end (`exp`) in seconds since 1970, leeway included.

    Raises TokenRefused for a malformed time, and without `exp`.
    """
    begins = [_time(claims, name) - leeway_seconds for name in ("nbf", "iat") if name in claims]
    return max(begins, default=0.0), _time(claims, "exp") + leeway_seconds


def _time(claims: Mapping[str, Any], name: str) -> float:
    value: Any = claims.get(name)
    # type() and not isinstance(): a bool is an int. The comparison is false for NaN.
    if type(value) not in (int, float) or not 0 <= value <= _LATEST_TIME:
        raise TokenRefused(f"{name} is missing or not a time")
    return float(value)


@lru_cache(maxsize=32)
def _header(segment: str) -> Header:
    fields = _json_object(segment, "header")
    if fields.get("alg") != ALGORITHM:
        raise TokenRefused("alg is not RS256")
    if "crit" in fields or "b64" in fields:
        raise TokenRefused("the header demands an extension")  # RFC 7515 §4.1.11: none is supported
    kid = fields.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= LONGEST_KEY_ID:
        raise TokenRefused("no usable kid")
    return Header(kid=kid, fields=MappingProxyType(fields))


def _json_object(segment: str, part: str) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(_decoded(segment, part))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TokenRefused(f"{part} is not JSON") from error
    if not isinstance(value, dict):
        raise TokenRefused(f"{part} is not a JSON object")
    return value


def _decoded(segment: str, part: str) -> bytes:
    try:
        return urlsafe_b64decode(segment + "==")
    except ValueError as error:
        raise TokenRefused(f"{part} is not base64url") from error
