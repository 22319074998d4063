"""A real Apache Kafka for the tests: fetched once, started in seconds, killed and frozen at will; and its tools."""

from tests.integration.kafka.broker.artifacts import NotInstalled, java, libraries, tools
from tests.integration.kafka.broker.console import write_console_tools
from tests.integration.kafka.broker.server import KafkaBroker

__all__ = ["KafkaBroker", "NotInstalled", "java", "libraries", "tools", "write_console_tools"]
