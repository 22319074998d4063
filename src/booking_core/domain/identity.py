"""Identifiers that carry their own slot (ADR 0006).

Every event has a *slot*, a stable 12-bit hash of its id. A booking's id and its ticket reference carry the slot of
their event, so that either is found from itself alone, on one PostgreSQL or on many.
"""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

SLOTS: Final = 4096
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_SLOT_BITS: Final = 12
_RANDOM_BITS: Final = 62
_TICKET_BITS: Final = 128
# Crockford's base 32: no I, L, O or U, so that a reference can be read aloud and typed from paper.
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_AS_MEANT: Final = str.maketrans({"-": None, "O": "0", "I": "1", "L": "1"})
_TICKET_LENGTH: Final = (_SLOT_BITS + _TICKET_BITS) // 5


def slot_of_event(event_id: UUID) -> int:
    """The slot of a ticketed event: 0 <= slot < SLOTS, the same in every process and every release."""
    return int.from_bytes(hashlib.sha256(event_id.bytes).digest()[:2], "big") >> 4


def slot_of_message(message_id: UUID) -> int:
    """The slot of an inbound message, whatever booking it is about: the same hash as of an event."""
    return slot_of_event(message_id)


def slot_of_booking(booking_id: UUID) -> int:
    """The slot that a booking id carries. Any UUID has one; for an id of another origin, no booking is found there."""
    return (booking_id.int >> 64) & (SLOTS - 1)


def new_id(now: datetime) -> UUID:
    """A UUIDv7: unique, and ordered by `now` to the millisecond."""
    return _uuid7(now, secrets.randbits(_SLOT_BITS + _RANDOM_BITS))


def new_booking_id(now: datetime, event_id: UUID) -> UUID:
    """A UUIDv7 whose 12 bits `rand_a` carry the slot of the event; 62 random bits make it unique."""
    return _uuid7(now, slot_of_event(event_id) << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS))


def new_ticket_reference(slot: int) -> str:
    """28 characters: the slot and 128 random bits. Opaque to readers, and unguessable (FR-10)."""
    value = (slot << _TICKET_BITS) | secrets.randbits(_TICKET_BITS)
    return "".join(_ALPHABET[(value >> shift) & 31] for shift in range((_TICKET_LENGTH - 1) * 5, -1, -5))


def slot_of_ticket(reference: str) -> int | None:
    """The slot that a ticket reference carries; None if the text cannot be one of ours."""
    if len(reference) != _TICKET_LENGTH or any(letter not in _ALPHABET for letter in reference):
        return None
    leading = "".join(format(_ALPHABET.index(letter), "05b") for letter in reference[:3])
    return int(leading[:_SLOT_BITS], 2)


def ticket_reference_in(text: str) -> str | None:
    """The reference as it was issued, from a text that was scanned or typed; None if it cannot be one of ours.

    As Crockford's base 32 has it: case does not matter, nor do spaces and dashes; an O is a zero, an I or L a one.
    """
    if not text.isascii():
        return None
    reference = "".join(text.upper().translate(_AS_MEANT).split())
    return None if slot_of_ticket(reference) is None else reference


def _uuid7(now: datetime, bits: int) -> UUID:
    """The UUID of that time with these 74 bits: `rand_a` and `rand_b` of RFC 9562."""
    milliseconds = (now - _EPOCH) // _MILLISECOND & (2**48 - 1)
    rand_a, rand_b = bits >> _RANDOM_BITS, bits & (2**_RANDOM_BITS - 1)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | rand_a << 64 | 0b10 << 62 | rand_b)
