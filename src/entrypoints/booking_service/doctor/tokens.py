"""The doctor's check of the issuer: whether its keys can be fetched, as the API fetches them."""

from collections.abc import Iterator
from typing import Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from jwt import PyJWKClient
from jwt.exceptions import PyJWTError

from booking_api.auth.keys import MalformedKeySet, signing_keys
from booking_core.ports import Finding, Grade
from booking_service.settings import Settings, required

CHECK: Final = "jwks"
_TIMEOUT_SECONDS: Final = 3.0  # to fetch the keys; less than a check may take
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def check_tokens(settings: Settings) -> Iterator[Finding]:
    """Fetch the keys (`jwks`), and warn about an issuer that is probably mistyped (`issuer`)."""
    issuer = required(settings.jwt_issuer, "BOOKING_JWT_ISSUER")
    url = required(settings.jwt_jwks_url, "BOOKING_JWT_JWKS_URL")
    yield _check_keys(issuer, url)
    host = urlsplit(issuer).hostname or ""
    if host.endswith(".auth0.com") and not issuer.endswith("/"):
        found = f"the issuer is {issuer}, and what Auth0 writes into its tokens ends with a slash"
        advice = f"set BOOKING_JWT_ISSUER to {issuer}/, or every token is refused"
        yield Finding(check="issuer", grade=Grade.WARNING, found=found, advice=advice)


def _check_keys(issuer: str, url: str) -> Finding:
    try:
        document = PyJWKClient(url, cache_jwk_set=False, timeout=_TIMEOUT_SECONDS).fetch_data()
        usable = signing_keys(document)
    except MalformedKeySet as error:
        return _unreadable(f"the keys of {issuer}: {url} answers with what is no JWKS: {error}")
    except (PyJWTError, OSError, ValueError, RecursionError) as error:
        return _unreadable(f"the keys of {issuer}: {url} cannot be read: {_reason(error)}")
    if not usable:
        found = f"the keys of {issuer}: {url} has no key that can be used: RS256, at least 2048 bits, with a kid"
        return Finding(check=CHECK, grade=Grade.TROUBLE, found=found, advice="have the issuer sign with RS256")
    found = f"{len(usable)} usable key{'s' if len(usable) > 1 else ''} at {url}"
    parts = urlsplit(url)
    if parts.scheme == "http" and parts.hostname not in _LOCAL:
        found, advice = f"{found}, over a line that anybody on the way can change", "fetch it by https"
        return Finding(check=CHECK, grade=Grade.WARNING, found=found, advice=advice)
    return Finding(check=CHECK, grade=Grade.OK, found=found)


def _reason(error: Exception) -> str:
    """Text of the first cause; each layer above it wraps it in a text of its own."""
    cause = error.__cause__ or error
    if isinstance(cause, URLError) and not isinstance(cause, HTTPError):
        cause = cause.reason if isinstance(cause.reason, Exception) else cause
    return " ".join(str(cause).split()) or type(cause).__name__


def _unreadable(found: str) -> Finding:
    advice = "check BOOKING_JWT_ISSUER (or BOOKING_JWT_JWKS_URL), and that the network lets us through to it;"
    advice += " until then a service that starts is not ready: it can judge no token and answers 503"
    return Finding(check=CHECK, grade=Grade.TROUBLE, found=found, advice=advice)
