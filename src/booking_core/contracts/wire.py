"""Reading what is stored for the wire."""

import json
from decimal import Decimal
from typing import Any

from booking_core.ports import OutboxRecord


def envelope_of(record: OutboxRecord) -> dict[str, Any]:
    """The stored message, its numbers exact."""
    envelope: dict[str, Any] = json.loads(record.body, parse_float=Decimal)
    return envelope


def payload_of(record: OutboxRecord) -> dict[str, Any]:
    """What the stored message tells."""
    payload: dict[str, Any] = envelope_of(record)["payload"]
    return payload
