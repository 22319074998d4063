"""The settings that survived kills and freezes: changing one is a decision, not an accident."""

from booking_kafka.connection import CONSUMER, PRODUCER


def test_the_producer_never_gives_up_a_batch_and_never_doubles_one() -> None:
    settled = {
        "acks": "all",
        "enable_idempotence": True,
        "delivery_timeout_ms": 2**31 - 1,
        "request_timeout_ms": 10_000,
        "reconnect_backoff_max_ms": 1000,
        "max_block_ms": 5000,
        "linger_ms": 5,
        "batch_size": 131_072,
        "compression_type": "lz4",
        "api_version": (2, 6),
    }
    assert settled.items() <= PRODUCER.items()


def test_the_consumer_commits_by_hand_and_starts_with_the_first_message() -> None:
    settled = {
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
        "reconnect_backoff_max_ms": 1000,
        "session_timeout_ms": 10_000,
        "heartbeat_interval_ms": 3000,
        "api_version": (2, 6),
        "isolation_level": "read_committed",
    }
    assert settled.items() <= CONSUMER.items()


def test_nobody_makes_topics_by_mistake() -> None:
    assert PRODUCER["allow_auto_create_topics"] is CONSUMER["allow_auto_create_topics"] is False
