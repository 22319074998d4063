"""Whatever a stranger has written arrives, and stops nobody."""

from datetime import UTC, datetime
from typing import Any

import pytest
from kafka.consumer.fetcher import ConsumerRecord

from booking_kafka.subscription import delivery_of, utc_of


def record(**changed: Any) -> ConsumerRecord:
    made: ConsumerRecord = ConsumerRecord(
        **{
            "topic": "payments",
            "partition": 3,
            "leader_epoch": 0,
            "offset": 42,
            "timestamp": 1_700_000_000_123,
            "timestamp_type": 0,
            "key": b"key",
            "value": b"value",
            "headers": [("one", b"1"), ("none", None), ("one", b"again")],
            "checksum": None,
            "serialized_key_size": 3,
            "serialized_value_size": 5,
            "serialized_header_size": 1,
            **changed,
        }
    )
    return made


def test_a_record_is_delivered_whole() -> None:
    delivery = delivery_of(record())

    assert (delivery.topic, delivery.partition, delivery.offset) == ("payments", 3, 42)
    assert (delivery.key, delivery.value) == (b"key", b"value")
    assert delivery.timestamp == datetime(2023, 11, 14, 22, 13, 20, 123_000, tzinfo=UTC)
    assert delivery.headers == (("one", b"1"), ("none", b""), ("one", b"again"))


def test_without_key_and_value() -> None:
    delivery = delivery_of(record(key=None, value=None, headers=[]))

    assert (delivery.key, delivery.value, delivery.headers) == (None, None, ())


@pytest.mark.parametrize("milliseconds", [None, -1, -(2**63), 2**63 - 1, 253_402_300_800_000])
def test_a_time_that_is_none(milliseconds: int | None) -> None:
    assert utc_of(milliseconds) is None


def test_the_first_and_the_last_utc_of() -> None:
    assert utc_of(0) == datetime(1970, 1, 1, tzinfo=UTC)
    assert utc_of(253_402_300_799_999) == datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
