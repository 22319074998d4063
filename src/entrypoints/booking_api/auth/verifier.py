"""Verification of bearer tokens: RS256 by a key of one issuer, for one audience; each token is verified once."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from booking_api.auth.claims import (
    Identity,
    TokenRefused,
    VerifiedToken,
    check_addressed,
    identity_of,
    validity_of,
)
from booking_api.auth.compact_token import ALGORITHM, compact_token
from booking_api.auth.keys import KeySource, UnknownKey
from booking_api.auth.token_cache import TokenCache

__all__ = ["ALGORITHM", "Identity", "TokenRefused", "TokenVerifier", "VerifiedToken", "bearer_token"]

LONGEST_TOKEN: Final = 8192

_SCHEME: Final = "bearer "


class TokenVerifier:
    """Tells who is asking. Safe to share between threads; makes no connection until the first token comes.

    A token is valid when all of this holds: RS256 (no other `alg`, whatever its key) by the issuer's key named in
    `kid`; `iss` equal to `issuer`, character by character; `aud` equal to `audience` or a list with it; `exp` ahead,
    `nbf` and `iat`, where present, reached, each by this server's clock within `leeway_seconds`; and what
    identity_of() asks of `sub` and `permissions`. Texts above 8192 characters are not looked at.

    At most `remember` tokens that were found valid are remembered, and only compared from then on: until they
    end, or until the issuer's keys no longer have the key that proved them.
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        keys: KeySource,
        leeway_seconds: int = 30,
        remember: int = 10_000,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not issuer or not audience or leeway_seconds < 0:
            raise ValueError("tokens need an issuer, an audience and a leeway that is not negative")
        self.issuer = issuer
        self.audience = audience
        self.leeway_seconds = leeway_seconds
        self._keys = keys
        self._clock = clock
        self._memory = TokenCache(remember)

    def verify(self, authorization_header: str | None) -> Identity:
        """Who sent this `Authorization` header. Raises TokenRefused, or KeysUnavailable when no one can be judged."""
        return self.verify_header(authorization_header).identity

    def verify_header(self, authorization_header: str | None) -> VerifiedToken:
        """As verify(), with all that the token says."""
        return self.verify_token(bearer_token(authorization_header))

    def remembered(self, authorization_header: str | None) -> Identity | None:
        """Who sent this header, if its token was verified before and still holds; never waits for anything.

        None says nothing about the token: verify() does.
        """
        try:
            token = bearer_token(authorization_header)
        except TokenRefused:
            return None
        known = self._memory.get(token) if len(token) <= LONGEST_TOKEN else None
        if known is None or not known.validity.covers(self._clock()):
            return None
        return known.identity if self._keys.current(known.kid) is known.key else None

    def verify_token(self, token: str) -> VerifiedToken:
        """What this token says, if it is valid now. Raises as verify() does."""
        if len(token) > LONGEST_TOKEN:
            raise TokenRefused("longer than any token of ours")
        remembered = self._memory.get(token)
        if remembered is not None:
            if self._still_holds(remembered):
                return remembered
            self._memory.forget(token)
        verified = self._judged(token)
        now = self._clock()
        if not verified.validity.covers(now):
            raise TokenRefused("expired" if now >= verified.validity.ends else "not valid yet")
        self._memory.keep(token, verified, now=now)
        return verified

    def _still_holds(self, remembered: VerifiedToken) -> bool:
        try:
            return remembered.validity.covers(self._clock()) and self._keys.key(remembered.kid) is remembered.key
        except UnknownKey:
            return False

    def _judged(self, text: str) -> VerifiedToken:
        """Everything but the time."""
        token = compact_token(text)
        try:
            key = self._keys.key(token.header.kid)
        except UnknownKey as error:
            raise TokenRefused(str(error)) from error
        claims = token.claims(key)
        check_addressed(claims, issuer=self.issuer, audience=self.audience)
        return VerifiedToken(
            identity=identity_of(claims),
            claims=MappingProxyType(claims),
            header=token.header.fields,
            validity=validity_of(claims, leeway_seconds=self.leeway_seconds),
            kid=token.header.kid,
            key=key,
        )


def bearer_token(authorization_header: str | None) -> str:
    """The text after `Bearer`, the scheme in any case (RFC 9110 §11.1). Raises TokenRefused when there is none."""
    if authorization_header is None:
        raise TokenRefused("no Authorization header")
    if authorization_header[: len(_SCHEME)].lower() != _SCHEME:
        raise TokenRefused("not a bearer token")
    return authorization_header[len(_SCHEME) :].strip(" ")
