"""The public keys that tokens are checked with: what a source of them promises, and reading them from a JWKS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK
from jwt.exceptions import PyJWTError

SMALLEST_KEY_BITS: Final = 2048


class UnknownKey(Exception):
    """No key of this `kid` belongs to the issuer: a token that names it is not valid."""

    def __init__(self, kid: str) -> None:
        # The text is the caller's: cut, and escaped by repr, before it can reach a log.
        super().__init__(f"no signing key {kid[:64]!r}")


class KeysUnavailable(Exception):
    """The issuer's keys cannot be read now, or not in time, so the token cannot be judged (503, not 401)."""

    def __init__(self, reason: str, *, retry_after_seconds: int = 1) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds


class KeySource(Protocol):
    """Where the keys of the issuer come from. Safe to share between threads."""

    def key(self, kid: str) -> RSAPublicKey:
        """The key that signs under `kid` now.

        The same object is returned for as long as that key stays in use, and another one, or none, afterwards:
        whoever remembers what a key has proved asks again and compares with `is`.

        Raises UnknownKey when the issuer has no such key, KeysUnavailable when that cannot be said: nothing is known
        of its keys, or they are just being read.
        """
        ...

    def current(self, kid: str) -> RSAPublicKey | None:
        """As `key`, but never waits: None where memory alone does not say."""
        ...


class MalformedKeySet(ValueError):
    """A document that is no JWKS at all: not an object, or without a list of keys."""


class FixedKeys:
    """A KeySource of the keys in one JWKS document, which never change. Raises MalformedKeySet if it is none."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._keys = signing_keys(document)

    def key(self, kid: str) -> RSAPublicKey:
        """See KeySource.key. Never raises KeysUnavailable."""
        found = self._keys.get(kid)
        if found is None:
            raise UnknownKey(kid)
        return found

    def current(self, kid: str) -> RSAPublicKey | None:
        """See KeySource.current."""
        return self._keys.get(kid)


def signing_keys(document: object, known: Mapping[str, RSAPublicKey] | None = None) -> dict[str, RSAPublicKey]:
    """The RS256 keys of a JWKS document by `kid`, perhaps none; the first counts when a `kid` is repeated.

    Entries of other kinds, purposes and sizes, without a `kid`, or broken are left out, as RFC 7517 §5 asks.
    A key that is in `known` under the same `kid` is given as that same object. Raises MalformedKeySet.
    """
    entries = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(entries, list):
        raise MalformedKeySet("not a JSON object with a list of keys")
    found: dict[str, RSAPublicKey] = {}
    for entry in entries:
        key = _signing_key(entry)
        if key is not None and entry["kid"] not in found:
            before = (known or {}).get(entry["kid"])
            found[entry["kid"]] = before if before == key and before is not None else key
    return found


def _signing_key(entry: object) -> RSAPublicKey | None:
    if not isinstance(entry, dict) or not _is_for_rs256(entry):
        return None
    try:
        key = PyJWK(entry, "RS256").key
    except PyJWTError:
        return None
    return key if isinstance(key, RSAPublicKey) and key.key_size >= SMALLEST_KEY_BITS else None


def _is_for_rs256(entry: dict[str, Any]) -> bool:
    operations = entry.get("key_ops", ["verify"])
    return (
        isinstance(entry.get("kid"), str)
        and entry.get("use", "sig") == "sig"
        and entry.get("alg", "RS256") == "RS256"
        and isinstance(operations, list)
        and "verify" in operations
    )
