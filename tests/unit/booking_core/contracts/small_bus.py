"""A small event bus in memory that keeps the contract, and can be given one mistake.

Each mistake is one that an adapter has made or could make. The suites must catch every one of them.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from itertools import count
from threading import Condition, Lock
from typing import Any, Final
from zlib import crc32

from attrs import evolve

from booking_core.domain.errors import BusUnavailable
from booking_core.ports import Delivery, Message
from tests.unit.booking_core.contracts.bus_mistakes import MISTAKES

PARTITIONS: Final = 3
MOST_PER_POLL: Final = 100
_GOES_ON: Final = ("a closed subscription goes on", "a closed bus goes on")

Place = tuple[str, int]
"""Topic and partition."""


class SmallBus:
    """`EventBus`. `mistake` is empty, or one of MISTAKES."""

    def __init__(self, mistake: str = "", *, is_reachable: bool = True) -> None:
        assert not mistake or mistake in MISTAKES
        self.mistake, self.is_open = mistake, True
        self.changed = Condition()
        self.polling = Lock()
        self.log: dict[Place, dict[int, Delivery]] = {}
        self.committed: dict[tuple[str, Place], int] = {}
        self.members: dict[tuple[str, str], list[SmallSubscription]] = {}
        self._is_reachable = is_reachable
        self._next: dict[Place, count[int]] = {}
        self._turn = count()
        self._late: list[tuple[str, Message]] = []

    def publish(self, topic: str, messages: Sequence[Message]) -> None:
        with self.backend("publish"):
            wanted = [(self.topic(topic), message) for message in messages]
            if self.mistake == "publish stores 500 messages at most":
                wanted = wanted[:500]
            if self.mistake == "equal messages are stored once":
                wanted = [each for n, each in enumerate(wanted) if each not in wanted[:n]]
            if self.mistake == "publish returns before it has stored":
                wanted, self._late = self._late, wanted
        for name, message in wanted:
            self._store(name, message)

    def subscribe(self, topic: str, group: str) -> "SmallSubscription":
        if not self.is_open and self.mistake != "a closed bus goes on":
            raise BusUnavailable("The bus is closed")
        with self.changed:
            return SmallSubscription(self, self.topic(topic), group)

    def backlog(self, topic: str, group: str) -> Mapping[int, range]:
        with self.backend("backlog"):
            places = [(self.topic(topic), number) for number in range(PARTITIONS)]
            ranges = {place[1]: range(self.start(group, place), self.end(place)) for place in places}
            if self.mistake == "backlog ignores commits":
                ranges = {number: range(offsets.stop) for number, offsets in ranges.items()}
            if self.mistake == "backlog leaves out partitions without one":
                ranges = {number: offsets for number, offsets in ranges.items() if offsets}
            if self.mistake == "backlog commits":
                self.committed |= {(group, place): self.end(place) for place in places}
            return ranges

    def oldest(self, topic: str, group: str) -> datetime | None:
        with self.backend("oldest"):
            ignores = self.mistake == "oldest ignores commits"
            sent = [
                delivery.timestamp
                for number in range(PARTITIONS)
                for delivery in self.log.get((self.topic(topic), number), {}).values()
                if delivery.timestamp and (ignores or delivery.offset >= self.start(group, (topic, number)))
            ]
            return (max if self.mistake == "oldest is the youngest" else min)(sent, default=None)

    def close(self) -> None:
        if self.mistake == "closing the bus waits for a poll":
            with self.polling:
                pass
        with self.changed:
            self.is_open = False
            for member in [each for members in self.members.values() for each in members]:
                member.leave()
            self.changed.notify_all()

    @contextmanager
    def backend(self, doing: str) -> Iterator[None]:
        """Hold the lock; the driver's errors are translated."""
        with self.changed:
            try:
                if not self._is_reachable:
                    raise ConnectionRefusedError("no backend")
                yield
            except OSError as error:
                if self.mistake == f"the driver's error leaks from {doing}":
                    raise
                raise BusUnavailable(str(error)) from error
            if not self.is_open and self.mistake != "a closed bus goes on":
                raise BusUnavailable("The bus is closed")

    def topic(self, name: str) -> str:
        if self.mistake == "an unknown topic is an error of the driver" and "unknown" in name:
            raise KeyError(name)
        return "the only one" if self.mistake == "topics share their messages" else name

    def end(self, place: Place) -> int:
        return max(self.log.get(place, {}), default=-1) + 1

    def start(self, group: str, place: Place) -> int:
        """The group's committed offset."""
        group = "the only one" if self.mistake == "groups share their commits" else group
        at_the_end = self.mistake == "a new group begins with the end"
        return self.committed.setdefault((group, place), self.end(place) if at_the_end else 0)

    def commit(self, group: str, place: Place, offset: int) -> None:
        group = "the only one" if self.mistake == "groups share their commits" else group
        self.committed[group, place] = offset

    def _store(self, topic: str, message: Message) -> None:
        with self.changed:
            in_turns = self.mistake == "partitions are filled in turns"
            place = topic, (next(self._turn) if in_turns else crc32(message.key)) % PARTITIONS
            numbers = self._next.setdefault(place, count())
            offset = next(numbers)
            if not self.mistake.startswith(("the offset is taken", "two threads")):
                self._append(place, offset, message)
                return
        if self.mistake.startswith("two threads"):
            offset = self.end(place)
        time.sleep(0.0005)  # the transaction that makes it visible
        with self.changed:
            self._append(place, offset, message)

    def _append(self, place: Place, offset: int, message: Message) -> None:
        headers = [(name, text.encode()) for name, text in message.headers.items()]
        now = datetime.now(UTC)
        key = message.key.decode("utf-8", "replace").encode() if self.mistake == "keys are texts" else message.key
        value = message.value[:65_536] if self.mistake == "large values are cut" else message.value
        self.log.setdefault(place, {})[offset] = Delivery(
            topic=place[0],
            partition=place[1],
            offset=offset,
            timestamp=now.replace(tzinfo=None) if self.mistake == "times have no zone" else now,
            key=key,
            value=None if not value and self.mistake == "an empty value is none" else value,
            headers=[] if self.mistake == "headers are lost" else headers,
        )
        self.changed.notify_all()


class SmallSubscription:
    """`Subscription`: the partitions are dealt out anew whenever a member joins or leaves."""

    def __init__(self, bus: SmallBus, topic: str, group: str) -> None:
        self._bus, self._topic, self._group = bus, topic, group
        self._mistake = bus.mistake
        self._members = bus.members.setdefault((topic, group), [])
        self._positions: dict[Place, int] = {}
        self._deal: list[Any] = []
        self._is_open = True
        self._members.append(self)
        bus.changed.notify_all()

    def poll(self, timeout: float) -> Sequence[Delivery]:
        timeout = self._waits(timeout)
        try:
            is_alone = self._mistake == "closing the bus waits for a poll"
            with self._bus.polling if is_alone else nullcontext(), self._bus.backend("poll"):
                self._refuse_if_closed()
                self._bus.changed.wait_for(lambda: not self._is_open or bool(self._next()), timeout)
                self._refuse_if_closed()
                return self._taken(self._next())
        except BusUnavailable:
            if self._mistake == "poll hides an outage" and self._is_open:
                return []
            raise

    def commit(self, before: Mapping[int, int] | None = None) -> None:
        with self._bus.backend("commit"):
            self._refuse_if_closed()
            if self._mistake == "a commit needs a poll" and not self._positions:
                raise KeyError(self._topic)
            if self._mistake == "a commit before the first poll commits all" and not self._positions:
                for number in range(PARTITIONS):
                    self._bus.commit(self._group, (self._topic, number), self._bus.end((self._topic, number)))
            is_dealt_anew = self._deal != self._members
            if is_dealt_anew and self._mistake != "commit takes in partitions that have gone":
                if any(position > self._bus.start(self._group, place) for place, position in self._positions.items()):
                    raise BusUnavailable("The group has changed")
                return
            if self._mistake == "commit does nothing":
                return
            for place, position in self._positions.items():
                self._commit(place, position, before)

    def rewind(self) -> None:
        with self._bus.changed:
            if self._mistake == "rewind goes to the start":
                self._positions = dict.fromkeys(self._positions, 0)
            elif self._mistake != "rewind does nothing":
                self._deal, self._positions = [], {}

    def close(self) -> None:
        with self._bus.changed:
            if self._mistake == "close fails the second time" and not self._is_open:
                raise KeyError(self._group)
            if self._mistake == "close commits":
                for place, position in self._positions.items():
                    self._bus.commit(self._group, place, position)
            self.leave()

    def leave(self) -> None:
        if self._is_open:
            self._is_open = False
            if self._mistake not in ("a closed member keeps its partitions", *_GOES_ON):
                self._members.remove(self)
            self._bus.changed.notify_all()

    def _refuse_if_closed(self) -> None:
        if not self._is_open and self._mistake not in _GOES_ON:
            raise BusUnavailable("The subscription is closed")

    def _waits(self, timeout: float) -> float:
        if self._mistake == "poll sleeps before it looks":
            time.sleep(timeout)
        if self._mistake == "poll overruns its timeout":
            return max(0.8, timeout)
        if self._mistake == "poll waits although it has no timeout":
            return timeout or 0.8
        return 0 if self._mistake == "poll does not wait" else timeout

    def _is_mine(self, number: int) -> bool:
        if self._mistake == "one member receives all":
            return self._members[0] is self
        return self._mistake == "members receive the same" or self._members[number % len(self._members)] is self

    def _next(self) -> list[Delivery]:
        """The next messages: of all partitions in turn, up to the most."""
        if self._deal != self._members:
            self._deal = list(self._members)
            places = [(self._topic, number) for number in range(PARTITIONS) if self._is_mine(number)]
            self._positions = {place: self._bus.start(self._group, place) for place in places}
        found: list[Delivery] = []
        for place, position in self._positions.items():
            if self._mistake == "a poll begins with the last commit":
                position = self._bus.start(self._group, place)
            waiting = sorted(offset for offset in self._bus.log.get(place, {}) if offset >= position)
            found += [self._bus.log[place][offset] for offset in waiting[: MOST_PER_POLL - len(found)]]
        return found

    def _taken(self, deliveries: list[Delivery]) -> list[Delivery]:
        is_full = len(deliveries) == MOST_PER_POLL
        for each in deliveries:
            place = self._topic, each.partition
            repeats = self._mistake == "a poll begins with the last message of the one before"
            self._positions[place] = each.offset + (0 if repeats else 1)
            if self._mistake == "poll commits":
                self._bus.commit(self._group, place, each.offset + 1)
        if is_full and self._mistake == "a message is lost after a full poll":
            self._positions[self._topic, deliveries[-1].partition] += 1
        if is_full and self._mistake == "a full poll is out of order":
            return deliveries[::-1]
        return [evolve(each) for each in deliveries]

    def _commit(self, place: Place, position: int, before: Mapping[int, int] | None) -> None:
        start, bound = self._bus.start(self._group, place), position
        if self._mistake == "commit commits what was not polled":
            bound = self._bus.end(place)
        if self._mistake == "a message is lost after the commit of a full poll" and position - start >= MOST_PER_POLL:
            bound += 1
        if before is not None and self._mistake != "commit ignores its bound":
            unnamed = position if self._mistake == "commit takes in partitions that are not named" else start
            named = before.get(place[1], unnamed)
            bound = named if self._mistake == "commit moves on to its bound" else min(bound, named)
        self._bus.commit(self._group, place, bound if self._mistake == "commit moves back" else max(start, bound))
