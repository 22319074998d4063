"""The trace that a change belongs to, as W3C Trace Context writes it (`traceparent`).

The code that traces sets it around a use case, with `traced_as`. A store keeps it with the events of the units of work
that are entered meanwhile, so that the relay, in another process and later, continues the same trace (ADR 0018).
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

TRACEPARENT: Final[ContextVar[str | None]] = ContextVar("booking_traceparent", default=None)
"""The trace of this thread's changes; None outside of any trace."""

# Version, trace, span and flags. What a later version adds after them is not passed on.
_FORM: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def is_traceparent(text: str) -> bool:
    """Whether the text has the form of a traceparent, with neither trace nor span zero."""
    return _FORM.fullmatch(text) is not None


@contextmanager
def traced_as(text: str | None) -> Iterator[None]:
    """Make this thread's changes in the block belong to that trace; a text of another form counts as None."""
    token = TRACEPARENT.set(text if text is not None and is_traceparent(text) else None)
    try:
        yield
    finally:
        TRACEPARENT.reset(token)
