"""What a test configures of the logs is taken back after it: handlers, level and structlog's configuration."""

import logging
from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """The root logger and structlog are after each test what they were before it."""
    root = logging.getLogger()
    handlers, level, configured = root.handlers[:], root.level, structlog.get_config()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.configure(**configured)
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def ours_alone() -> Iterator[None]:
    """No line of a Kafka client, whose threads belong to no test, is among those that a test reads."""
    kafka = logging.getLogger("kafka")
    kafka.propagate = False
    yield
    kafka.propagate = True
