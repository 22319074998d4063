"""Decoding of stored messages."""

import json
from decimal import Decimal
from typing import Any

from booking_core.ports import OutboxRecord


def envelope_of(record: OutboxRecord) -> dict[str, Any]:
    """Decode a stored message; numbers stay exact."""
    envelope: dict[str, Any] = json.loads(record.body, parse_float=Decimal)
    return envelope


def payload_of(record: OutboxRecord) -> dict[str, Any]:
    """Decode the payload of a stored message."""
    payload: dict[str, Any] = envelope_of(record)["payload"]
    return payload
