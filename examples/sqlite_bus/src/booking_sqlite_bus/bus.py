"""The event bus in one SQLite file."""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Final

from booking_core import BusUnavailable
from booking_core.ports import Message
from booking_sqlite_bus import topics
from booking_sqlite_bus.file import BusFile
from booking_sqlite_bus.subscription import SqliteSubscription

LEASE_SECONDS: Final = 30.0
_REMOVE_EVERY_SECONDS: Final = 60.0


class SqliteEventBus:
    """`EventBus` for the processes of one machine; the file must be on a local disk. Topics come into being by use.

    Messages older than `keep` are removed, read or not. A subscription that does not poll for `lease` seconds is out
    of its group: others go on with its messages, and its own commit is refused.
    """

    def __init__(self, path: Path, *, keep: timedelta = timedelta(days=7), lease: float = LEASE_SECONDS) -> None:
        self._path, self._keep, self._lease = path, keep, lease
        self._file = BusFile(path)
        self._removed_at = float("-inf")
        self._lock = Lock()
        self._is_open = True
        self._subscriptions: list[SqliteSubscription] = []

    def publish(self, topic: str, messages: Sequence[Message]) -> None:
        if not messages:
            return
        with self._file.writing() as connection:
            topics.append(connection, topic, messages)
            if time.monotonic() - self._removed_at >= _REMOVE_EVERY_SECONDS:
                topics.remove_older(connection, self._keep)
                self._removed_at = time.monotonic()

    def subscribe(self, topic: str, group: str) -> SqliteSubscription:
        with self._lock:
            if not self._is_open:
                raise BusUnavailable("The bus is closed")
            subscription = SqliteSubscription(self._path, topic, group, self._lease)
            self._subscriptions = [*(each for each in self._subscriptions if each.is_open), subscription]
            return subscription

    def backlog(self, topic: str, group: str) -> Mapping[int, range]:
        with self._file.reading() as connection:
            return topics.waiting_for(connection, topic, group)

    def oldest(self, topic: str, group: str) -> datetime | None:
        with self._file.reading() as connection:
            waiting = topics.waiting_for(connection, topic, group)
            firsts = [
                delivery.timestamp
                for partition, offsets in waiting.items()
                for delivery in topics.read(connection, topic, partition, offsets.start, 1)
            ]
        return min((sent for sent in firsts if sent is not None), default=None)

    def close(self) -> None:
        with self._lock:
            self._is_open = False
            subscriptions, self._subscriptions = self._subscriptions, []
        for subscription in subscriptions:
            subscription.close()
        self._file.close()
