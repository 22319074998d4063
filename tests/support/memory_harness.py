"""The memory adapters, given to the contract suites."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count

from booking_core.ports import OutboxRecord
from booking_memory.bus import MemoryEventBus
from booking_memory.store import MemoryStore


class MemoryStoreHarness:
    """A store whose clock is the computer's, set forward by what was asked for."""

    def __init__(self) -> None:
        self._ahead = timedelta()
        # Short, for several suites wait it out; long enough for twelve threads to take their turns.
        self.store = MemoryStore(self._now, lock_wait=0.5)

    def advance(self, seconds: float) -> None:
        self._ahead += timedelta(seconds=seconds)

    def events(self) -> Sequence[OutboxRecord]:
        return self.store.outbox.everything()

    def close(self) -> None:
        self.store.close()

    def _now(self) -> datetime:
        return datetime.now(UTC) + self._ahead


class MemoryEventBusHarness:
    """A bus of its own for each test."""

    timeout_seconds = 10.0

    def __init__(self) -> None:
        self.bus = MemoryEventBus()
        self._numbers = count()

    def new_topic(self) -> str:
        return f"topic-{next(self._numbers)}"

    def unreachable(self) -> None:
        """None: it is reached whenever it is open."""

    def close(self) -> None:
        self.bus.close()
