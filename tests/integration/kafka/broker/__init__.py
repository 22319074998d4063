"""A real Apache Kafka for the tests: fetched once, started in seconds, killed and frozen at will."""

from tests.integration.kafka.broker.artifacts import NotInstalled, java, libraries
from tests.integration.kafka.broker.server import KafkaBroker

__all__ = ["KafkaBroker", "NotInstalled", "java", "libraries"]
