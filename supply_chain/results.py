"""The result of a check."""

from collections.abc import Sequence

from attrs import frozen


class CheckFailed(Exception):
    """Something that the check needs is missing or failed. The text is one line for people."""


@frozen(kw_only=True)
class CheckResult:
    """What was checked and how much of it, a line for each problem, and a line for each fact worth knowing."""

    checked: str
    problems: Sequence[str] = ()
    notes: Sequence[str] = ()
