"""An event-bus adapter that ends its own process with kill -9, at a moment that DYING_BUS_MOMENT names.

It is Kafka's in all else. Programs find it by its name, `dying`, as they find every adapter: see `on_the_shelf`.
"""

import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from booking_core.ports import EventBus, Message
from booking_kafka.bus import KafkaEventBus
from booking_kafka.connection import Connection
from booking_kafka.subscription import KafkaSubscription

BEFORE_OFFSET_COMMIT: Final = "before the offset commit"
AFTER_PUBLISH: Final = "after the publish"
_MOMENT: Final = "DYING_BUS_MOMENT"


def on_the_shelf(directory: Path, moment: str) -> dict[str, str]:
    """The environment of a program that is to die then; `directory` becomes the distribution that has the adapter."""
    made = directory / "dying_bus-1.0.dist-info"
    made.mkdir(exist_ok=True)
    (made / "METADATA").write_text("Metadata-Version: 2.1\nName: dying-bus\nVersion: 1.0\n")
    (made / "entry_points.txt").write_text("[booking.event_bus]\ndying = dying_bus:create\n")
    paths = [str(directory), str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    return {"BOOKING_EVENT_BUS": "dying", _MOMENT: moment, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def create(settings: Mapping[str, str]) -> EventBus:
    """The entry point."""
    return _DyingBus(Connection.from_settings(settings))


def _die_at(moment: str) -> None:
    if os.environ[_MOMENT] == moment:
        os.kill(os.getpid(), signal.SIGKILL)


class _DyingBus(KafkaEventBus):
    def publish(self, topic: str, messages: Sequence[Message]) -> None:
        super().publish(topic, messages)
        _die_at(AFTER_PUBLISH)

    def subscribe(self, topic: str, group: str) -> KafkaSubscription:
        return _DyingSubscription(self._connection, topic, group)


class _DyingSubscription(KafkaSubscription):
    def commit(self, before: Mapping[int, int] | None = None) -> None:
        _die_at(BEFORE_OFFSET_COMMIT)
        super().commit(before)
