"""Making topics, for tests and for development. In production they are made by whoever runs the brokers."""

import time
from collections.abc import Iterable
from typing import Final

from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from kafka.errors import TopicAlreadyExistsError

from booking_core.domain.errors import BusUnavailable
from booking_kafka.broker_check import look
from booking_kafka.connection import Connection
from booking_kafka.errors import translated

_KNOWN_WITHIN_SECONDS: Final = 10.0
_LOOK_AGAIN_SECONDS: Final = 0.05


def ensure_topics(connection: Connection, names: Iterable[str], *, partitions: int = 6) -> None:
    """Make the topics that do not exist yet, with so many partitions, each kept by one broker.

    One that exists stays as it is, whatever its partitions. Returns when the brokers tell clients of all of them, which
    is a moment after they were made. Raises BusUnavailable.
    """
    wanted = tuple(names)
    with translated("Making topics"):
        admin = KafkaAdminClient(**connection.client_config(), client_id="booking-core", request_timeout_ms=10_000)
        try:
            for name in wanted:
                _ensure(admin, name, partitions)
        finally:
            admin.close()
    for name in wanted:
        _await_known(connection, name)


def _await_known(connection: Connection, name: str) -> None:
    give_up_at = time.monotonic() + _KNOWN_WITHIN_SECONDS
    while True:
        try:
            return look(connection, name)
        except BusUnavailable:
            if time.monotonic() >= give_up_at:
                raise
        time.sleep(_LOOK_AGAIN_SECONDS)


def _ensure(admin: KafkaAdminClient, name: str, partitions: int) -> None:
    try:
        admin.create_topics([NewTopic(name, num_partitions=partitions, replication_factor=1)])
    except TopicAlreadyExistsError:
        return
