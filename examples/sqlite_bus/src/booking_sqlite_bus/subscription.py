"""One member of a consumer group, over a connection of its own."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Final

from booking_core import BusUnavailable
from booking_core.ports import Delivery
from booking_sqlite_bus import topics
from booking_sqlite_bus.file import BusFile
from booking_sqlite_bus.membership import NOBODY, Group, Share

_MOST_PER_POLL: Final = 500
_LOOK_EVERY_SECONDS: Final = 0.05
_OUTSIDE: Final = Share(NOBODY, NOBODY, ())


class SqliteSubscription:
    """`Subscription`: joins with its first poll. After each change of the group its members go on from what was
    committed. A member that does not poll for `lease` seconds has left."""

    def __init__(self, path: Path, topic: str, group: str, lease: float) -> None:
        self._file, self._group, self._lease = BusFile(path), Group(topic, group), lease
        self._share, self._renewed_at = _OUTSIDE, 0.0
        self._committed: dict[int, int] = {}
        self._positions: dict[int, int] = {}
        self._closed = Event()

    @property
    def is_open(self) -> bool:
        """It was not closed yet."""
        return not self._closed.is_set()

    def poll(self, timeout: float) -> Sequence[Delivery]:
        give_up_at = time.monotonic() + timeout
        while True:
            self._refuse_if_closed()
            self._renew_if_needed()
            taken = self._take()
            left = give_up_at - time.monotonic()
            if taken or left <= 0:
                return taken
            self._closed.wait(min(_LOOK_EVERY_SECONDS, left))

    def commit(self, before: Mapping[int, int] | None = None) -> None:
        self._refuse_if_closed()
        done = self._positions
        if before is not None:
            done = {number: min(at, before[number]) for number, at in done.items() if number in before}
        done = {number: at for number, at in done.items() if at > self._committed[number]}
        if not done:
            return
        with self._file.writing() as connection:
            if self._group.generation(connection) != self._share.generation:
                # Some of the partitions may be another member's by now, who has started from the last commit.
                raise BusUnavailable("The group has changed since the messages were polled; they arrive again")
            topics.commit(connection, self._group.topic, self._group.name, done)
        self._committed |= done

    def rewind(self) -> None:
        self._positions = dict(self._committed)

    def close(self) -> None:
        if self.is_open:
            self._closed.set()
            # Who cannot say goodbye is given up by the others when the lease is over.
            with suppress(BusUnavailable), self._file.writing() as connection:
                self._group.leave(connection, self._share.member)
            self._file.close()

    def _refuse_if_closed(self) -> None:
        if not self.is_open:
            raise BusUnavailable("The subscription is closed")

    def _renew_if_needed(self) -> None:
        now = time.time()
        if 0 <= now - self._renewed_at < self._lease / 3:
            with self._file.reading() as connection:
                if self._group.generation(connection) == self._share.generation:
                    return
        with self._file.writing() as connection:
            share = self._group.renew(connection, self._share.member, now, self._lease)
            committed = topics.committed_by(connection, self._group.topic, self._group.name)
        if share.generation != self._share.generation:
            self._committed = {number: committed[number] for number in share.partitions}
            self._positions = dict(self._committed)
        self._share, self._renewed_at = share, now

    def _take(self) -> list[Delivery]:
        taken: list[Delivery] = []
        if not self._positions:
            return taken
        fair = max(1, _MOST_PER_POLL // len(self._positions))
        with self._file.reading() as connection:
            for number, position in self._positions.items():
                taken += topics.read(connection, self._group.topic, number, position, fair)
        for delivery in taken:
            self._positions[delivery.partition] = delivery.offset + 1
        return taken
