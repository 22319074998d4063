"""Ids in paths and bodies: UUIDs in their canonical form, 8-4-4-4-12 hexadecimal digits in either case."""

import re
from typing import Final
from uuid import UUID

CANONICAL_LENGTH: Final = 36

_CANONICAL: Final = re.compile("[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


def id_in(text: str) -> UUID | None:
    """The id that a piece of a path spells, or None: to whoever asks it is then an id that nobody knows."""
    return UUID(text) if _CANONICAL.fullmatch(text) else None
