"""Fixtures of the tests that need brokers."""

from tests.integration.kafka_fixture import fresh_topic, kafka_bootstrap, kafka_broker

__all__ = ["fresh_topic", "kafka_bootstrap", "kafka_broker"]
