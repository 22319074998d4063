"""Requests that cannot be understood."""

from typing import Self

from booking_core import InvalidValue


class InvalidRequest(InvalidValue):
    """The caller said something that cannot be: 400, and `field` is named as the caller spells it.

    Any other InvalidValue is about a value of ours, and so a fault of ours.
    """

    @classmethod
    def of(cls, error: InvalidValue) -> Self:
        """A command's complaint about the caller's value; the command's names are spelled as in JSON."""
        head, *rest = error.field.split("_")
        return cls(head + "".join(word.capitalize() for word in rest), error.problem)
