"""What a check has to say."""

from collections.abc import Sequence

from attrs import frozen


class CannotLook(Exception):
    """Something that the check needs is not there. The text is one line for people."""


@frozen(kw_only=True)
class Finding:
    """`looked_at`: what, and how much of it; `bad`: what must not stay, a line each; `notes`: what is worth knowing."""

    looked_at: str
    bad: Sequence[str] = ()
    notes: Sequence[str] = ()
