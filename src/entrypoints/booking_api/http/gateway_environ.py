"""What a server in front of the application may tell it about a request, and what it may learn from it.

They are entries of the WSGI environ, and all of them may be missing: the application needs no such server.
"""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

ARRIVED: Final = "booking.arrived"
"""When the request arrived, on `time.perf_counter`."""

TAKEN: Final = "booking.taken"
"""Seats (a frozenset of ids) that had a live, committed claim at a moment when this request had arrived already."""

FOUND: Final = "booking.found"
"""Set by the application: the seats of this request with a live, committed claim now, those just reserved included."""

HELD_UP: Final = "booking.held_up"
"""Set by the application: whether the seats of this request were not to be had in time."""


def known_taken(environ: Mapping[str, Any]) -> frozenset[UUID]:
    """The seats that are known to be taken; empty if nothing is known."""
    taken: frozenset[UUID] = environ.get(TAKEN, frozenset())
    return taken
