"""Tokens for one machine: a local issuer for `booking dev` and `booking token`. Never for production."""

from __future__ import annotations

import fcntl
import os
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from json import dumps
from pathlib import Path
from typing import Any, Final

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from booking_api.auth.tokens import is_user_id

# No real issuer can have a name under `.invalid` (RFC 2606), and no request for keys can reach one.
ISSUER: Final = "https://dev.booking.invalid/"
AUDIENCE: Final = "booking-dev"
# Permissions that an issuer grants to administrators (cancel events) and to ticket inspectors (verify tickets).
ADMIN_PERMISSIONS: Final = ("booking:admin", "booking:verify")

KEY_FILE: Final = "dev-signing-key.pem"
KEY_BITS: Final = 2048
DAY_SECONDS: Final = 86_400


class DevKeyUnusable(Exception):
    """The key file holds no RSA key of at least 2048 bits. The text is one line with the file and the remedy."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} holds no usable RSA key: delete it, and a new one is made at the next start")
        self.path = path


class DevTokens:
    """Signer of RS256 tokens for `issuer` and `audience`, with a key that is kept in `directory`.

    The first start makes the key (file mode 0600, written atomically); later ones use it, so that tokens survive a
    restart. Two processes that start at the same time use the same key.

    Raises DevKeyUnusable, and OSError if the directory cannot be made or written.
    """

    def __init__(self, directory: Path, issuer: str, audience: str, *, clock: Callable[[], float] = time.time) -> None:
        self._key = _kept_key(directory)
        self._issuer = issuer
        self._audience = audience
        self._clock = clock
        self._public = _public_jwk(self._key)

    def sign(self, user_id: str, permissions: Iterable[str] = (), lifetime_seconds: int = DAY_SECONDS) -> str:
        """Sign a token for the user, valid for `lifetime_seconds`. Raises ValueError for an invalid id."""
        if not is_user_id(user_id):
            raise ValueError("a user's id has 1 to 255 characters, none of them a control character")
        now = int(self._clock())
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": user_id,
            "iat": now,
            "exp": now + lifetime_seconds,
            "permissions": list(permissions),
        }
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": self._public["kid"]})

    def jwks(self) -> dict[str, Any]:
        """Return the JWKS that verifies these tokens: the public key, whose `kid` is its RFC 7638 thumbprint."""
        return {"keys": [dict(self._public)]}


def _kept_key(directory: Path) -> rsa.RSAPrivateKey:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / KEY_FILE
    with _locked(directory):
        if not path.exists():
            key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
            encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
            write_private_file(path, key.private_bytes(encoding, form, serialization.NoEncryption()))
        return _read(path)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Hold the lock of the directory; the system releases it when the process ends, also after a crash."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def write_private_file(path: Path, content: bytes) -> None:
    """Write a file atomically with mode 0600, replacing an older one. Raises OSError."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)  # left by a killed run; without it O_EXCL succeeds and sets the mode
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _read(path: Path) -> rsa.RSAPrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise DevKeyUnusable(path) from error
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < KEY_BITS:
        raise DevKeyUnusable(path)
    return key


def _public_jwk(key: rsa.RSAPrivateKey) -> dict[str, Any]:
    parameters = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    needed = {"e": parameters["e"], "kty": "RSA", "n": parameters["n"]}
    canonical = dumps(needed, separators=(",", ":"), sort_keys=True).encode()
    thumbprint = urlsafe_b64encode(sha256(canonical).digest()).rstrip(b"=").decode()
    return {**needed, "use": "sig", "alg": "RS256", "kid": thumbprint}
