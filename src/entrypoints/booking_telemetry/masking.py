"""Passwords in URLs: finding them, and hiding them from people and logs."""

import re
from typing import Final
from urllib.parse import unquote

# Up to the last @ before the path: a password that should have been percent-encoded is still one.
_CREDENTIALS: Final = re.compile(r"(?<=//)([^/?#\s]*)@")
_PASSWORD_PARAMETER: Final = re.compile(r"(?i)((?:^|[?&])(?:ssl)?password=)[^&]*")


def masked_url(url: str) -> str:
    """The URL without its passwords, for people and logs."""

    def mask(found: re.Match[str]) -> str:
        user, colon, _ = found[1].partition(":")
        return f"{user}{colon and ':***'}@"

    return _PASSWORD_PARAMETER.sub(r"\1***", _CREDENTIALS.sub(mask, url))


def passwords_in(url: str) -> tuple[str, ...]:
    """Every password that the URL carries, as it is written there and as it is meant."""
    found = [credentials.partition(":")[2] for credentials in _CREDENTIALS.findall(url)]
    found += [match[0].partition("=")[2] for match in _PASSWORD_PARAMETER.finditer(url)]
    return tuple(dict.fromkeys(form for password in found for form in (password, unquote(password)) if form))
