"""What the claims of a token must say, once its signature has been found right."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from attrs import frozen
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

LONGEST_USER_ID: Final = 255
# Beyond this a number of seconds is no time, and a float would lose whole seconds.
_LATEST_TIME: Final = 2**53
# C0 and C1 controls (NUL among them), which PostgreSQL or a log cannot take, and halves of surrogate pairs.
_UNUSABLE_IN_USER_ID: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class TokenRefused(Exception):
    """There is no token, or it is not valid for us (401 UNAUTHENTICATED).

    `reason` is for the log and never for the customer: it would tell a forger what to mend. It holds nothing that
    can be used as a token.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@frozen(kw_only=True)
class Identity:
    """Who is asking: `user_id` is the token's `sub` (see is_user_id), `permissions` what the issuer grants them."""

    user_id: str
    permissions: frozenset[str]


@frozen(kw_only=True)
class Validity:
    """When a token counts, in seconds since the epoch, leeway included: from `begins` on, until before `ends`."""

    begins: float
    ends: float

    def covers(self, now: float) -> bool:
        return self.begins <= now < self.ends


@frozen(kw_only=True)
class VerifiedToken:
    """What a token was found to say, and the key that proved it. The mappings cannot be written to."""

    identity: Identity
    claims: Mapping[str, Any]
    header: Mapping[str, Any]
    validity: Validity
    kid: str
    key: RSAPublicKey


def is_user_id(text: object) -> bool:
    """Whether `text` can name a user: 1 to 255 characters, no control character, no unpaired surrogate."""
    return isinstance(text, str) and 0 < len(text) <= LONGEST_USER_ID and not _UNUSABLE_IN_USER_ID.search(text)


def check_addressed(claims: Mapping[str, Any], *, issuer: str, audience: str) -> None:
    """Raises TokenRefused unless `iss` is `issuer`, exactly, and `aud` is `audience` or a list of strings with it."""
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

    Permissions that are anything else refuse the whole token: our issuer makes none like that.
    """
    if not is_user_id(claims.get("sub")):
        raise TokenRefused("sub is missing or cannot be a user's id")
    permissions = claims.get("permissions", [])
    if not isinstance(permissions, list) or not all(isinstance(each, str) for each in permissions):
        raise TokenRefused("permissions is not a list of strings")
    return Identity(user_id=claims["sub"], permissions=frozenset(permissions))


def validity_of(claims: Mapping[str, Any], *, leeway_seconds: int) -> Validity:
    """From `nbf` and `iat`, where present, to `exp`, each widened by the leeway. Raises TokenRefused without `exp`."""
    starts = [_time(claims, name) - leeway_seconds for name in ("nbf", "iat") if name in claims]
    return Validity(begins=max(starts, default=0.0), ends=_time(claims, "exp") + leeway_seconds)


def _time(claims: Mapping[str, Any], name: str) -> float:
    value: Any = claims.get(name)
    # type() and not isinstance(): a bool is an int. The comparison is false for NaN.
    if type(value) not in (int, float) or not 0 <= value <= _LATEST_TIME:
        raise TokenRefused(f"{name} is missing or not a time")
    return float(value)
