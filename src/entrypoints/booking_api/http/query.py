"""What lists understand in their query: `page`, `limit` and `status`. Other parameters mean nothing and are ignored."""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, Self, TypeVar
from urllib.parse import parse_qs
from uuid import UUID

from flask import Request

from booking_core import InvalidValue, Status
from booking_core.ports import Page

_MOST: Final = 20
_A = TypeVar("_A")
_B = TypeVar("_B")

Fault = tuple[str, str]
"""The name of a field, and what is wrong with it."""


class InvalidRequest(InvalidValue):
    """The caller said something that cannot be: 400, and `field` is named as the caller spells it.

    Any other InvalidValue is about a value of ours, and so a fault of ours.
    """

    @classmethod
    def of(cls, error: InvalidValue) -> Self:
        """A command's complaint about the caller's value; the command's names are spelled as in JSON."""
        head, *rest = error.field.split("_")
        return cls(head + "".join(word.capitalize() for word in rest), error.problem)

    @classmethod
    def of_all(cls, faults: Sequence[Fault]) -> Self:
        """All that is wrong, in the order given; of very many the first twenty. There is at least one."""
        error = cls(*faults[0])
        if len(faults) > 1:
            error.args = (f"{error} (and {len(faults) - 1} more)",)
            error.details = {"fields": [{"field": field, "problem": problem} for field, problem in faults[:_MOST]]}
        return error


def both(first: Callable[[], _A], second: Callable[[], _B]) -> tuple[_A, _B]:
    """What both return. Raises InvalidRequest with the faults of the one, the other, or both."""
    found: list[Any] = []
    faults: list[Fault] = []
    for read in (first, second):
        try:
            found.append(read())
        except InvalidRequest as error:
            faults += [(each["field"], each["problem"]) for each in error.details["fields"]]
    if faults:
        raise InvalidRequest.of_all(faults)
    return found[0], found[1]


CANONICAL_LENGTH: Final = 36

_CANONICAL: Final = re.compile("[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


def id_in(text: str) -> UUID | None:
    """The id that a piece of a path spells, or None: to whoever asks it is then an id that nobody knows."""
    return UUID(text) if _CANONICAL.fullmatch(text) else None


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
