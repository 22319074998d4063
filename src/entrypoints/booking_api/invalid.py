"""Requests that cannot be understood."""

from collections.abc import Callable, Sequence
from typing import Any, Final, Self, TypeVar

from booking_core import InvalidValue

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
