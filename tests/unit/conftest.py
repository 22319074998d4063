"""What several unit tests share."""

import logging
from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture
def logs_as_before() -> Iterator[None]:
    """Take back what a test configures of the logs, and keep the threads of other tests' Kafka clients out of them."""
    root, kafka = logging.getLogger(), logging.getLogger("kafka")
    handlers, level = root.handlers[:], root.level
    kafka.propagate = False
    yield
    kafka.propagate = True
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(False)
    structlog.reset_defaults()
