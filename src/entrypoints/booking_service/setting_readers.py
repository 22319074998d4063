"""Readers: functions from the text of a setting to its value. Each raises ValueError with what the text must be."""

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_KEYWORD: Final = re.compile(r"[a-z_]+ *=")  # of libpq: host=db.example.com dbname=booking
_TOPIC: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")
_ADDRESS: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")


def text(value: str) -> str:
    """Read one line of printable text."""
    if not value.isprintable():
        raise ValueError("must be one line of printable characters")
    return value


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """Make a reader of whole numbers from `least` to `most`, both included."""

    def read(value: str) -> int:
        # int() alone would accept "1_0", " 1" and digits of every script.
        if not re.fullmatch(r"[0-9]{1,18}", value) or not least <= int(value) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(value)

    return read


def one_of(*choices: str) -> Callable[[str], str]:
    """Make a reader of one of these words, in upper or lower case."""
    by_folded = {choice.casefold(): choice for choice in choices}

    def read(value: str) -> str:
        if value.casefold() not in by_folded:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return by_folded[value.casefold()]

    return read


def database_url(value: str) -> str:
    """Read a URL for libpq, or its keywords and values. The adapter has libpq check what follows."""
    is_url = value.startswith(("postgresql://", "postgres://")) and " " not in value
    if not value.isprintable() or not (is_url or _KEYWORD.match(value)):
        raise ValueError("must be a URL that starts with postgresql://")
    return value


def http_url(value: str) -> str:
    """Read an absolute http or https URL without query and fragment."""
    problem = ValueError("must be an http or https URL without query and fragment")
    if not value.isprintable() or " " in value:
        raise problem
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        raise problem from None
    if parts.scheme not in ("http", "https") or not parts.hostname or "?" in value or "#" in value:
        raise problem
    return value


def origins(value: str) -> tuple[str, ...]:
    """Read comma-separated origins as browsers send them: scheme, host and port, without a path."""
    found = _comma_separated(value)
    for origin in found:
        try:
            parts = urlsplit(http_url(origin))
        except ValueError:
            parts = urlsplit("")
        if not parts.netloc or parts.path or "@" in parts.netloc or origin != origin.lower():
            raise ValueError("must be a comma-separated list of origins, in small letters, without a path")
    return found


def addresses(value: str) -> tuple[str, ...]:
    """Read one or more comma-separated host:port."""
    found = _comma_separated(value)
    for address in found:
        matched = _ADDRESS.fullmatch(address)
        if not matched or not 1 <= int(matched[2]) <= 65535:
            raise ValueError("must be a comma-separated list of host:port")
    return found


def topic(value: str) -> str:
    """Read a name that Kafka accepts for a topic or a consumer group."""
    if not _TOPIC.fullmatch(value) or value in (".", ".."):
        raise ValueError("must be 1 to 249 letters, digits, dots, underscores or dashes")
    return value


def _comma_separated(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())
