"""The whole service around a broker: a database of a test's own, and topics and a consumer group of its own."""

from collections.abc import Callable
from uuid import uuid4

import pytest

from tests.integration.kafka.service import Service
from tests.support.postgres.stage import Stage


@pytest.fixture
def service(stage: Stage, kafka_bootstrap: str, fresh_topic: Callable[[], str]) -> Service:
    """Nothing of it runs yet."""
    return Service(
        stage=stage,
        servers=kafka_bootstrap,
        events_topic=fresh_topic(),
        payments_topic=fresh_topic(),
        letters_topic=fresh_topic(),
        group=f"group.{uuid4()}",
    )
