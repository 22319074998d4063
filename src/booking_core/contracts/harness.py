"""What the author of an adapter gives to the suites: the adapter itself, and a hand on time."""

from collections.abc import Sequence
from typing import Protocol

from booking_core.ports import EventBus, OutboxRecord, Store


class StoreHarness(Protocol):
    """One empty store for one test.

    At least 16 units of work can be open at once, from as many threads, and two from one thread.
    """

    @property
    def store(self) -> Store:
        """The store under test, always the same."""
        ...

    def advance(self, seconds: float) -> None:
        """Let time pass for everything that is stored; no unit of work is open meanwhile.

        A store with a clock of its own moves that. A database may instead shift every stored moment back by as much:
        of bookings and their holds, payments, history, events' last refresh, closures, idempotency keys, inbox and
        outbox. So the suites never compare a moment seen before with one seen after. When an event starts may stay
        as it is, and so may what is written inside messages.
        """
        ...

    def events(self) -> Sequence[OutboxRecord]:
        """Everything ever put into the outbox, published or not; those of one key in order of sequence."""
        ...

    def close(self) -> None:
        """Let go of everything, stored rows included."""
        ...


class EventBusHarness(Protocol):
    """One event bus for one test."""

    @property
    def bus(self) -> EventBus:
        """The bus under test, always the same."""
        ...

    def new_topic(self) -> str:
        """The name of an empty topic with at least two partitions, ready for use."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...
