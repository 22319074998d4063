"""The harnesses that the author of an adapter provides: the adapter itself, and control over its clock."""

from collections.abc import Sequence
from typing import Protocol

from booking_core.ports import EventBus, OutboxRecord, Store


class StoreHarness(Protocol):
    """One empty store for one test.

    At least 16 units of work can be open at once, from as many threads, and two from one thread.

    If the store is an EventLoopStore, run the suites of groups once more with a harness that has `on_event_loop` True.
    """

    @property
    def store(self) -> Store:
        """The store under test, always the same."""
        ...

    def advance(self, seconds: float) -> None:
        """Advance the time of everything that is stored; no unit of work is open meanwhile.

        A store with a clock of its own moves it. A database may instead shift every stored time back: of bookings
        and their holds, payments, history, the last refresh of events, closures, idempotency keys, inbox and outbox.
        The suites therefore never compare a time read before with one read after. The start of an event and times
        inside messages may stay as they are.
        """
        ...

    def events(self) -> Sequence[OutboxRecord]:
        """Return all events ever stored in the outbox, published or not; those of one key in order of sequence."""
        ...

    def close(self) -> None:
        """Release everything, stored rows included."""
        ...


class EventBusHarness(Protocol):
    """One event bus for one test."""

    @property
    def timeout_seconds(self) -> float:
        """How long a test waits for what must come before it fails: longer than the bus takes to deal out partitions.

        The suites take 60 s for a harness of an earlier version, which does not have it.
        """
        ...

    @property
    def bus(self) -> EventBus:
        """The bus under test, always the same."""
        ...

    def new_topic(self) -> str:
        """Return the name of an empty topic with at least two partitions, ready for use."""
        ...

    def unreachable(self) -> EventBus | None:
        """Return a bus of the same adapter whose backend cannot be reached, for example at a wrong address.

        The suite closes it. None if the adapter has no backend. A harness of an earlier version does not have it.
        """
        ...

    def close(self) -> None:
        """Release everything."""
        ...
