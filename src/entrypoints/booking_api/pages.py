"""What lists understand in their query: `page`, `limit` and `status`. Other parameters mean nothing and are ignored."""

import re
from typing import Final
from urllib.parse import parse_qs

from flask import Request

from booking_api.invalid import InvalidRequest, both
from booking_core import Status
from booking_core.ports import Page

LARGEST_LIMIT: Final = 100

# No sign, no blank, no leading zero, no digit of another script; nine of them fit every database's integers.
_COUNT: Final = re.compile("[1-9][0-9]{0,8}")


Query = dict[str, list[str]]


def query_of(request: Request) -> Query:
    """The parameters by name, each with all its values. What is no UTF-8 becomes a text that no parameter takes."""
    # Flask's own `args` raises UnicodeDecodeError for a byte that was sent without escaping.
    return parse_qs(request.environ.get("QUERY_STRING", ""), keep_blank_values=True, errors="replace")


def page_of(query: Query) -> Page:
    """Page 1 and limit 10 unless said otherwise. InvalidRequest for anything but whole numbers in range, said once."""
    number, limit = both(lambda: _number_of(query), lambda: _limit_of(query))
    return Page(number=number, limit=limit)


def status_of(query: Query) -> Status | None:
    """The status to show alone, None for all of them. InvalidRequest for a text that is no status."""
    text = _once(query, "status")
    if text is None:
        return None
    try:
        return Status(text)
    except ValueError:
        raise InvalidRequest("status", f"must be one of {', '.join(status.value for status in Status)}") from None


def _number_of(query: Query) -> int:
    number = _once(query, "page")
    if number is not None and not _COUNT.fullmatch(number):
        raise InvalidRequest("page", "must be a whole number from 1 to 999999999")
    return int(number or 1)


def _limit_of(query: Query) -> int:
    limit = _once(query, "limit")
    if limit is not None and not (_COUNT.fullmatch(limit) and int(limit) <= LARGEST_LIMIT):
        raise InvalidRequest("limit", f"must be a whole number from 1 to {LARGEST_LIMIT}")
    return int(limit or 10)


def _once(query: Query, name: str) -> str | None:
    given = query.get(name, [])
    if len(given) > 1:
        raise InvalidRequest(name, "must not be given twice")
    return given[0] if given else None
