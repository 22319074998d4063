"""Fixtures of every integration test."""

from tests.integration.kafka_fixture import fresh_topic, kafka_bootstrap, kafka_broker
from tests.integration.postgres_fixture import fresh_database, postgres_server, postgres_url

__all__ = ["fresh_database", "fresh_topic", "kafka_bootstrap", "kafka_broker", "postgres_server", "postgres_url"]
