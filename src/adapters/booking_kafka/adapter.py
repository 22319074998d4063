"""The entry point `kafka` of the group `booking.event_bus`."""

from collections.abc import Mapping

from booking_kafka.bus import KafkaEventBus
from booking_kafka.connection import Connection


def create(settings: Mapping[str, str]) -> KafkaEventBus:
    """The bus over the brokers that `BOOKING_KAFKA_…` names; connects to nothing yet. Reads no environment.

    Raises InvalidValue, naming the setting, if one is missing, malformed or contradicts another.
    """
    return KafkaEventBus(Connection.from_settings(settings))
