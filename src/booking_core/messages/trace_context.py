"""The trace that a change belongs to, as W3C Trace Context writes it (`traceparent`); the domain makes none itself.

Whoever traces says so around a use case, with `traced_as`. A store keeps it with the events of the units of work that
are entered meanwhile, so that the relay, in another process and later, can go on with the same trace (ADR 0018).
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_CURRENT: Final[ContextVar[str | None]] = ContextVar("booking_traceparent", default=None)
# Version, trace, span and flags. What a later version adds behind them is not for us to pass on.
_FORM: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def traceparent() -> str | None:
    """What this thread's changes belong to; None outside of any trace."""
    return _CURRENT.get()


def is_traceparent(text: str) -> bool:
    """Whether it has the form of one, and neither its trace nor its span is zero."""
    return _FORM.fullmatch(text) is not None


@contextmanager
def traced_as(text: str | None) -> Iterator[None]:
    """In the block, this thread's changes belong to that trace; None: to none. What has not the form counts as None."""
    token = _CURRENT.set(text if text is not None and is_traceparent(text) else None)
    try:
        yield
    finally:
        _CURRENT.reset(token)
