"""Query parameters, ids in paths, and the error for everything that a caller sent wrong.

Lists accept `page`, `limit` and `status`, seat maps `format`; other parameters are ignored.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Self, TypeVar
from urllib.parse import parse_qs
from uuid import UUID

from booking_core import InvalidValue, Status
from booking_core.ports import Page

_SHOWN: Final = 20  # faults in one response
_A = TypeVar("_A")
_B = TypeVar("_B")

Fault = tuple[str, str]
"""The name of a field, and its problem."""


class InvalidRequest(InvalidValue):
    """The caller sent an invalid value: 400, and `field` is named as in the request.

    Any other InvalidValue is about a value of the service, and so a 500.
    """

    @classmethod
    def of(cls, error: InvalidValue) -> Self:
        """A command's error about a value of the caller, with the name of the field as in JSON."""
        head, *rest = error.field.split("_")
        return cls(head + "".join(word.capitalize() for word in rest), error.problem)

    @classmethod
    def of_all(cls, faults: Sequence[Fault]) -> Self:
        """All of the faults (at least one), in this order; `details` has the first twenty."""
        error = cls(*faults[0])
        if len(faults) > 1:
            error.args = (f"{error} (and {len(faults) - 1} more)",)
            error.details = {"fields": [{"field": field, "problem": problem} for field, problem in faults[:_SHOWN]]}
        return error


def both(first: Callable[[], _A], second: Callable[[], _B]) -> tuple[_A, _B]:
    """Call both and return both results. Raises InvalidRequest with the faults of the first, the second, or both."""
    results: list[Any] = []
    faults: list[Fault] = []
    for read in (first, second):
        try:
            results.append(read())
        except InvalidRequest as error:
            faults += [(each["field"], each["problem"]) for each in error.details["fields"]]
    if faults:
        raise InvalidRequest.of_all(faults)
    return results[0], results[1]


CANONICAL_LENGTH: Final = 36  # characters of a UUID

_CANONICAL: Final = re.compile("[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


def id_in(text: str) -> UUID | None:
    """The id in a segment of a path; None for any other text, which the caller then reports as an unknown id."""
    return UUID(text) if _CANONICAL.fullmatch(text) else None


COMPACT: Final = "compact"

LARGEST_LIMIT: Final = 100  # entries of one page

# No sign, no blank, no leading zero, no digit of another script; nine of them fit every database's integers.
_COUNT: Final = re.compile("[1-9][0-9]{0,8}")


Query = dict[str, list[str]]


def query_of(environ: Mapping[str, Any]) -> Query:
    """The parameters by name, each with all its values. Bytes that are not UTF-8 make a value invalid."""
    # Flask's own `args` raises UnicodeDecodeError for a byte that was sent without escaping.
    return parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True, errors="replace")


def page_of(query: Query) -> Page:
    """By default page 1 and limit 10. Raises InvalidRequest unless both are whole numbers in range, given once."""
    number, limit = both(lambda: _number_of(query), lambda: _limit_of(query))
    return Page(number=number, limit=limit)


def status_of(query: Query) -> Status | None:
    """The status to filter by, None for all of them. Raises InvalidRequest for a text that is not a status."""
    text = _once(query, "status")
    if text is None:
        return None
    try:
        return Status(text)
    except ValueError:
        raise InvalidRequest("status", f"must be one of {', '.join(status.value for status in Status)}") from None


def seat_map_form_of(query: Query) -> bool:
    """True for the compact form of a seat map. Raises InvalidRequest for another form."""
    text = _once(query, "format")
    if text not in (None, COMPACT):
        raise InvalidRequest("format", f"must be {COMPACT}, or absent")
    return text == COMPACT


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
