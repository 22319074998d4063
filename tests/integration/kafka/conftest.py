"""Fixtures of the tests that need brokers."""

import pytest

# The contract's helpers assert as well: registered before the first import, so that what they say is told well.
pytest.register_assert_rewrite("tests.integration.kafka.readers")

from tests.integration.kafka_fixture import fresh_topic, kafka_bootstrap, kafka_broker  # noqa: E402

__all__ = ["fresh_topic", "kafka_bootstrap", "kafka_broker"]
