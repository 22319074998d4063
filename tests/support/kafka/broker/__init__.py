"""A real Apache Kafka for the tests: fetched once, started in seconds, killed and frozen at will; and its tools."""

from tests.support.kafka.broker.artifacts import NotInstalled, java, libraries, tools
from tests.support.kafka.broker.console import write_console_tools
from tests.support.kafka.broker.server import KafkaBroker

__all__ = ["KafkaBroker", "NotInstalled", "java", "libraries", "tools", "write_console_tools"]
