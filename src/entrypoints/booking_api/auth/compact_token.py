"""The compact form of a signed token (RFC 7515 §7.1): reading its header, and proving its claims with a key.

PyJWT's decode() checks base64url character by character in Python, and the header has to be read before it to find the
key: together three times the cost of the RSA signature itself. Here each part is decoded once, the header, which all
tokens under one key share, not even that. The signature is still checked by PyJWT and cryptography.
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

from booking_api.auth.claims import TokenRefused

ALGORITHM: Final = "RS256"
LONGEST_KEY_ID: Final = 255

_COMPACT: Final = re.compile(r"([\w-]+)\.([\w-]+)\.([\w-]+)", re.ASCII)
_RS256: Final = RSAAlgorithm(RSAAlgorithm.SHA256)


@frozen(kw_only=True)
class Header:
    """What a token says of itself, nothing of it proved yet: RS256 under the key `kid` (1 to 255 characters)."""

    kid: str
    fields: Mapping[str, Any]


@frozen(kw_only=True)
class CompactToken:
    """A text of the right form, not proved yet."""

    header: Header
    _signed: bytes
    _payload: str
    _signature: str

    def claims(self, key: RSAPublicKey) -> dict[str, Any]:
        """The claims, proved to be signed by `key`. Raises TokenRefused."""
        signature = _decoded(self._signature, "signature")
        if urlsafe_b64encode(signature).rstrip(b"=") != self._signature.encode():
            # Bits that fall off the end: else one token would have several texts.
            raise TokenRefused("signature is not canonical base64url")
        if not _RS256.verify(self._signed, key, signature):
            raise TokenRefused("wrong signature")
        return _json_object(self._payload, "payload")


def compact_token(text: str) -> CompactToken:
    """The parts of a token. Raises TokenRefused for any other text, another algorithm than RS256, or without `kid`."""
    form = _COMPACT.fullmatch(text)
    if form is None:
        raise TokenRefused("not three parts in base64url")
    return CompactToken(
        header=_header(form[1]),
        signed=text[: form.end(2)].encode(),
        payload=form[2],
        signature=form[3],
    )


@lru_cache(maxsize=32)
def _header(segment: str) -> Header:
    fields = _json_object(segment, "header")
    if fields.get("alg") != ALGORITHM:
        raise TokenRefused("alg is not RS256")
    if "crit" in fields or "b64" in fields:
        raise TokenRefused("the header demands an extension")  # RFC 7515 §4.1.11: we know none
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
