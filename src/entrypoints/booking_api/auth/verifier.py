"""Verification of bearer tokens: RS256 by a key of one issuer, for one audience; each token is verified once.

The port for the issuer's keys, and its part that every request runs, are here as well; `keys` fetches them.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Final, Protocol

from attrs import frozen
from cachetools import FIFOCache
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from booking_api.auth.tokens import (
    Identity,
    KeysUnavailable,
    TokenRefused,
    UnknownKey,
    check_addressed,
    compact_token,
    identity_of,
    validity_of,
)

LONGEST_TOKEN: Final = 8192  # characters

_SCHEME: Final = "bearer "

_KeyOf = Callable[[str], RSAPublicKey]


class KeySource(Protocol):
    """A source of the issuer's keys. Safe to share between threads."""

    def key(self, kid: str) -> RSAPublicKey:
        """The key that signs under `kid` now.

        Returns the same object for as long as that key is in use, and another one afterwards: a cache of verified
        tokens asks again and compares with `is`. Raises UnknownKey if the issuer has no such key, and KeysUnavailable
        if that is not known because the keys could not be fetched or are being fetched.
        """
        ...

    def current(self, kid: str) -> RSAPublicKey | None:
        """As `key`, but never waits: None if a fetch is needed."""
        ...

    def ensure_loaded(self) -> bool:
        """Whether there has been a key since the start; without one a fetch may be started, and awaited for 1 s."""
        ...


class CachedKeys(ABC):
    """A KeySource over keys in memory, until they are due for a fetch. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._keys: Mapping[str, RSAPublicKey] = MappingProxyType({})
        self._fresh_until = float("-inf")
        self._had_keys = False

    def key(self, kid: str) -> RSAPublicKey:
        """See KeySource.key. Waits only if the key is not in memory, or the keys are due for a fetch."""
        return self.current(kid) or self._fetched(kid)

    def current(self, kid: str) -> RSAPublicKey | None:
        """See KeySource.current."""
        return self._keys.get(kid) if self._clock() < self._fresh_until else None

    def _cache(self, keys: Mapping[str, RSAPublicKey], until: float) -> None:
        self._keys, self._fresh_until = keys, until
        self._had_keys = self._had_keys or bool(keys)

    def ensure_loaded(self) -> bool:
        """See KeySource.ensure_loaded."""
        return self._had_keys

    @abstractmethod
    def _fetched(self, kid: str) -> RSAPublicKey:
        """The key after a fetch, if one is needed. Raises as KeySource.key."""


@frozen(kw_only=True)
class VerifiedToken:
    """The verified content of a token, and the key that proved it. The mappings are read-only.

    It is valid from `begins` until before `ends`, in seconds since 1970, leeway included.
    """

    identity: Identity
    claims: Mapping[str, Any]
    begins: float
    ends: float
    kid: str
    key: RSAPublicKey


class TokenVerifier:
    """A verifier of tokens. Safe to share between threads; makes no connection before the first token.

    A token is valid when all of this holds: RS256 (no other `alg`, whatever its key) by the issuer's key named in
    `kid`; `iss` equal to `issuer`, character by character; `aud` equal to `audience` or a list with it; `exp` ahead,
    `nbf` and `iat`, where present, reached, each by this server's clock within `leeway_seconds`; and what
    identity_of() requires of `sub` and `permissions`. A text of more than 8192 characters is rejected unread.

    At most `cache_size` valid tokens are cached, and only compared from then on: until they end, or until the issuer's
    keys no longer contain the key that proved them.
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        keys: KeySource,
        leeway_seconds: int = 30,
        cache_size: int = 10_000,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not issuer or not audience or leeway_seconds < 0:
            raise ValueError("tokens need an issuer, an audience and a leeway that is not negative")
        self.issuer = issuer
        self.audience = audience
        self.leeway_seconds = leeway_seconds
        self._keys = keys
        self._clock = clock
        self._cache = TokenCache(cache_size)

    def verify(self, authorization_header: str | None) -> Identity:
        """The caller that sent this `Authorization` header. Raises TokenRefused, KeysUnavailable."""
        return self.verify_token(bearer_token(authorization_header)).identity

    def cached_identity(self, authorization_header: str | None) -> Identity | None:
        """As verify(), but never waits: None unless the token is in the cache and still valid."""
        try:
            token = bearer_token(authorization_header)
        except TokenRefused:
            return None
        known = self._cache.get(token) if len(token) <= LONGEST_TOKEN else None
        if known is None or not known.begins <= self._clock() < known.ends:
            return None
        return known.identity if self._keys.current(known.kid) is known.key else None

    def has_keys(self) -> bool:
        """Whether this process has had a key of the issuer, and so can judge tokens; see KeySource.ensure_loaded."""
        return self._keys.ensure_loaded()

    def verify_at_once(self, authorization_header: str | None) -> Identity | None:
        """As verify(), but never waits: None if the token is refused, or if its key is not in memory."""
        try:
            return self._verified_once(bearer_token(authorization_header), self._key_in_memory).identity
        except (TokenRefused, KeysUnavailable):
            return None

    def verify_token(self, token: str) -> VerifiedToken:
        """Verify a token without its scheme. Raises as verify() does."""
        return self._verified_once(token, self._keys.key)

    def _key_in_memory(self, kid: str) -> RSAPublicKey:
        key = self._keys.current(kid)
        if key is None:
            raise KeysUnavailable("the key is not in memory")
        return key

    def _verified_once(self, token: str, key_of: _KeyOf) -> VerifiedToken:
        """The token from the cache, or verified now and cached. Raises what `key_of` raises, but UnknownKey."""
        if len(token) > LONGEST_TOKEN:
            raise TokenRefused("longer than any token of ours")
        known = self._cache.get(token)
        if known is not None:
            if self._is_still_valid(known, key_of):
                return known
            self._cache.remove(token)
        verified = self._verified(token, key_of)
        now = self._clock()
        if not verified.begins <= now < verified.ends:
            raise TokenRefused("expired" if now >= verified.ends else "not valid yet")
        self._cache.add(token, verified)
        return verified

    def _is_still_valid(self, known: VerifiedToken, key_of: _KeyOf) -> bool:
        try:
            return known.begins <= self._clock() < known.ends and key_of(known.kid) is known.key
        except UnknownKey:
            return False

    def _verified(self, text: str, key_of: _KeyOf) -> VerifiedToken:
        """Verify everything except the time."""
        token = compact_token(text)
        try:
            key = key_of(token.header.kid)
        except UnknownKey as error:
            raise TokenRefused(str(error)) from error
        claims = token.claims(key)
        check_addressed(claims, issuer=self.issuer, audience=self.audience)
        identity = identity_of(claims)
        begins, ends = validity_of(claims, leeway_seconds=self.leeway_seconds)
        return VerifiedToken(
            identity=identity,
            claims=MappingProxyType(claims),
            begins=begins,
            ends=ends,
            kid=token.header.kid,
            key=key,
        )


class TokenCache:
    """At most `size` verified tokens by digest, the oldest dropped first. A token is a password: its text is not kept.

    Safe to share between threads. An entry was valid when it was added: the caller checks its time and its key.
    """

    def __init__(self, size: int) -> None:
        if size < 0:
            raise ValueError("the number of cached tokens cannot be negative")
        # Not an LRU or TTL cache: their reads need a lock, and take two to three times as long (ADR 0022).
        self._tokens: FIFOCache[bytes, VerifiedToken] = FIFOCache(size)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._tokens)

    def get(self, token: str) -> VerifiedToken | None:
        """The entry of exactly this text. Takes no lock: reading one key of a dict is atomic."""
        try:
            return self._tokens[_digest(token)]
        except KeyError:
            return None

    def add(self, token: str, verified: VerifiedToken) -> None:
        """Add an entry, and drop the oldest one if the cache is full."""
        if self._tokens.maxsize:
            with self._lock:
                self._tokens[_digest(token)] = verified

    def remove(self, token: str) -> None:
        """Remove the entry, if there is one."""
        with self._lock:
            self._tokens.pop(_digest(token), None)


def bearer_token(authorization_header: str | None) -> str:
    """The text after `Bearer`, the scheme in any case (RFC 9110 §11.1). Raises TokenRefused without one."""
    if authorization_header is None:
        raise TokenRefused("no Authorization header")
    if authorization_header[: len(_SCHEME)].lower() != _SCHEME:
        raise TokenRefused("not a bearer token")
    return authorization_header[len(_SCHEME) :].strip(" ")


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
