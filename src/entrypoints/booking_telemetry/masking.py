"""Secrets: masked in URLs and in every value of a log record."""

import re
from collections.abc import Collection, Mapping, MutableMapping
from typing import Any, Final
from urllib.parse import unquote

# Up to the last @ before the path: a password that should have been percent-encoded is still one.
_CREDENTIALS: Final = re.compile(r"(?<=//)([^/?#\s]*)@")
# Of a URL, or of libpq's keywords and values, where spaces separate and quotes may enclose a value.
_PASSWORD_PARAMETER: Final = re.compile(
    r"((?:^|[?&\s])(?:(?:ssl)?password|oauth_client_secret|scram_(?:client|server)_key)\s*=\s*)"
    r"('(?:[^'\\]|\\.)*'|[^&\s]*)",
    re.IGNORECASE,
)
_SECRET_KEYS: Final = frozenset(
    "authorization proxy-authorization cookie set-cookie password sasl_password secret client_secret token access_token"
    " refresh_token jwt api_key x-api-key".split()
)
_MASK: Final = "***"
# A signed token, or the text after the word Bearer: each grants access.
_TOKEN: Final = re.compile(r"eyJ[\w-]{4,}\.[\w-]+\.[\w-]*|(?<=bearer )\s*[^\s,;\"']+", re.ASCII | re.IGNORECASE)
# Masking shorter texts would garble other words.
_SHORTEST_SECRET: Final = 4


def masked_url(url: str) -> str:
    """The URL, or keywords and values of libpq, without passwords: for people and logs."""

    def mask(found: re.Match[str]) -> str:
        user, colon, _ = found[1].partition(":")
        return f"{user}{colon and ':***'}@"

    return _PASSWORD_PARAMETER.sub(r"\1***", _CREDENTIALS.sub(mask, url))


def passwords_in(url: str) -> tuple[str, ...]:
    """Every password in the URL, both percent-encoded as in the URL and decoded."""
    found = [credentials.partition(":")[2] for credentials in _CREDENTIALS.findall(url)]
    for match in _PASSWORD_PARAMETER.finditer(url):
        found += [match[2], re.sub(r"\\(.)", r"\1", match[2][1:-1]) if match[2].startswith("'") else ""]
    return tuple(dict.fromkeys(form for password in found for form in (password, unquote(password)) if form))


class SecretMasking:
    """A structlog processor that masks secrets in every value of a record, at any depth.

    Masked are `secrets`, values of keys like `authorization`, tokens, and passwords in URLs.
    """

    def __init__(self, secrets: Collection[str]) -> None:
        # The longest first: one secret may be part of another.
        self._secrets = sorted({text for text in secrets if len(text) >= _SHORTEST_SECRET}, key=len, reverse=True)

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        for key, value in event.items():
            if not key.startswith("_"):
                event[key] = _MASK if key.lower() in _SECRET_KEYS else self._masked(value)
        return event

    def _masked(self, value: Any) -> Any:
        # First what most values are: a check for an abstract class costs more than all the rest.
        if type(value) is str:
            return self._masked_text(value)
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return {
                key: _MASK if str(key).lower() in _SECRET_KEYS else self._masked(inner) for key, inner in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [self._masked(inner) for inner in value]
        return self._masked_text(str(value))

    def _masked_text(self, text: str) -> str:
        # An escape sequence in a logged text must not reach the operator's terminal.
        text = text.replace("\x1b", "\\x1b")
        for secret in self._secrets:
            text = text.replace(secret, _MASK)
        if "eyJ" in text or "earer" in text or "EARER" in text:
            text = _TOKEN.sub(_MASK, text)
        return masked_url(text) if "://" in text else text
