"""Money that was asked back and of which nothing was heard: said in the log until the Payment Service has answered."""

from datetime import datetime
from typing import Final

import structlog
from attrs import frozen

from booking_core.ports.event_bus import EventBus
from booking_core.ports.reads import Backlogs
from booking_core.ports.store import Store
from booking_workers.jobs import ShouldContinue, always

STORE_EVERY_SECONDS: Final = 15.0
BUS_EVERY_SECONDS: Final = 30.0


class BacklogWatch:
    """What waits in the store. `seen`: as of the last look that succeeded; None before the first."""

    name = "backlogs"

    def __init__(self, store: Store, *, every_seconds: float = STORE_EVERY_SECONDS) -> None:
        self.idle_seconds = every_seconds
        self.seen: Backlogs | None = None
        self._store = store

    def run_once(self, should_continue: ShouldContinue = always) -> bool:
        """One look. Raises ServiceBusy."""
        self.seen = self._store.queries.backlogs()
        return False

    def close(self) -> None:
        """Nothing of its own is open."""


@frozen
class Waiting:
    """Messages that wait for a group, and the age of the oldest in seconds; 0 where there are none."""

    messages: int
    oldest_seconds: float


class BusWatch:
    """What waits in the topics: the Payment Service's messages for us, and dead letters for a replay.

    `payments` and `letters`: as of the last look that succeeded; None before the first.
    """

    name = "bus"

    def __init__(
        self,
        store: Store,
        bus: EventBus,
        *,
        payments: tuple[str, str],
        letters: tuple[str, str],
        every_seconds: float = BUS_EVERY_SECONDS,
    ) -> None:
        """`payments` and `letters`: topic and group of each."""
        self.idle_seconds = every_seconds
        self.payments: Waiting | None = None
        self.letters: Waiting | None = None
        self._store, self._bus = store, bus
        self._payments_of, self._letters_of = payments, letters

    def run_once(self, should_continue: ShouldContinue = always) -> bool:
        """One look at each. Raises BusUnavailable, and ServiceBusy: the database's clock tells how old they are."""
        self.payments = self._waiting(*self._payments_of)
        if should_continue():
            self.letters = self._waiting(*self._letters_of)
        return False

    def close(self) -> None:
        """The bus is the composition's."""

    def _waiting(self, topic: str, group: str) -> Waiting:
        messages = sum(map(len, self._bus.backlog(topic, group).values()))
        oldest = self._bus.oldest(topic, group) if messages else None
        return Waiting(messages, 0.0 if oldest is None else max(0.0, self._age(oldest)))

    def _age(self, moment: datetime) -> float:
        return (self._store.queries.now() - moment).total_seconds()


_log = structlog.get_logger(__name__)


class RefundWatch:
    """Looks for refunds that have no answer after an hour. `unanswered` is how many there were at the last look.

    It counts every booking on the way, so it looks seldom.
    """

    name = "refunds"

    def __init__(self, store: Store, *, every_seconds: float = 600.0) -> None:
        self.idle_seconds = every_seconds
        self.unanswered = 0
        self._store = store

    def run_once(self, should_continue: ShouldContinue = always) -> bool:
        """One look; a warning if there are any. Raises ServiceBusy."""
        statistics = self._store.queries.statistics()
        self.unanswered = statistics.unanswered_refunds
        if self.unanswered:
            oldest = statistics.oldest_unanswered_refund_seconds or 0.0
            _log.warning("refunds.unanswered", refunds=self.unanswered, oldest_seconds=round(oldest))
        return False

    def close(self) -> None:
        """Nothing of its own is open."""
