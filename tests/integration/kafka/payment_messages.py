"""What the Payment Service says, byte by byte, written with the bare client."""

import json
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID, uuid4

from attrs import frozen
from kafka import KafkaProducer
from kafka.producer.future import RecordMetadata

_PATIENCE_SECONDS: Final = 30


@frozen
class Word:
    """One record: key and value as they are on the topic."""

    key: bytes | None
    value: bytes | None


def envelope(event_type: str, booking_id: UUID | str, payment_id: str = "pay-1", **more: Any) -> dict[str, Any]:
    """A message that is right; keywords go into its payload."""
    if event_type == "payment.success":
        more = {"amount": 75.0, "currency": "USD"} | more
    return {
        "eventId": str(uuid4()),
        "eventType": event_type,
        "timestamp": "2026-03-01T10:00:00Z",
        "version": "1.0",
        "correlationId": "of-the-payment-service",
        "payload": {"bookingId": str(booking_id), "paymentId": payment_id} | more,
    }


def word(message: Any, key: UUID | str | bytes | None) -> Word:
    """The message as JSON, under that key."""
    return Word(key if isinstance(key, bytes) or key is None else str(key).encode(), json.dumps(message).encode())


def said(event_type: str, booking_id: UUID, payment_id: str = "pay-1", **more: Any) -> Word:
    """A message that is right, keyed by its booking."""
    return word(envelope(event_type, booking_id, payment_id, **more), booking_id)


def say(servers: str, topic: str, words: Sequence[Word], partition: int | None = None) -> list[RecordMetadata]:
    """Put them on the topic, one after the other; where each of them is. Without `partition` their keys decide."""
    producer = KafkaProducer(
        bootstrap_servers=servers, api_version=(2, 6), acks="all", max_in_flight_requests_per_connection=1, retries=5
    )
    try:
        futures = [producer.send(topic, key=each.key, value=each.value, partition=partition) for each in words]
        return [future.get(_PATIENCE_SECONDS) for future in futures]  # type: ignore[no-untyped-call]
    finally:
        producer.close(timeout=_PATIENCE_SECONDS)
