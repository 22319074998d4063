"""Samplers: measure what waits in the store and on the bus, for metrics and log. They run as jobs."""

from datetime import datetime
from typing import Final

from attrs import frozen

from booking_core.ports.event_bus import EventBus
from booking_core.ports.reads import Backlogs
from booking_core.ports.store import Store
from booking_telemetry.logs import get_logger
from booking_workers.jobs import ShouldContinue, WithoutResources, always

_log = get_logger(__name__)

STORE_SAMPLE_SECONDS: Final = 15.0
BUS_SAMPLE_SECONDS: Final = 30.0
# The statistics count every booking, so this sample is taken seldom.
REFUND_SAMPLE_SECONDS: Final = 600.0


class StoreSampler(WithoutResources):
    """Job that samples what waits in the store. `sample`: of the last successful pass; None before the first."""

    name = "backlogs"

    def __init__(self, store: Store, *, every_seconds: float = STORE_SAMPLE_SECONDS) -> None:
        self.idle_seconds = every_seconds
        self.sample: Backlogs | None = None
        self._store = store

    def run_once(self, should_continue: ShouldContinue = always) -> bool:
        """Take one sample. Raises ServiceBusy."""
        self.sample = self._store.reads.backlogs()
        return False


@frozen
class TopicBacklog:
    """Messages that wait for a consumer group, and the age of the oldest in seconds; 0 if none waits."""

    messages: int
    oldest_seconds: float


class BusSampler(WithoutResources):
    """Job that samples what waits on the bus: messages of the Payment Service, and dead letters.

    `payments` and `dead_letters`: of the last successful pass; None before the first.
    """

    name = "bus"

    def __init__(
        self,
        store: Store,
        bus: EventBus,
        *,
        payments: tuple[str, str],
        dead_letters: tuple[str, str],
        every_seconds: float = BUS_SAMPLE_SECONDS,
    ) -> None:
        """`payments` and `dead_letters`: topic and consumer group of each."""
        self.idle_seconds = every_seconds
        self.payments: TopicBacklog | None = None
        self.dead_letters: TopicBacklog | None = None
        self._store, self._bus = store, bus
        self._payments_source, self._dead_letters_source = payments, dead_letters

    def run_once(self, should_continue: ShouldContinue = always) -> bool:
        """Take one sample of each. Raises BusUnavailable, and ServiceBusy because ages need the database's clock."""
        self.payments = self._backlog(*self._payments_source)
        if should_continue():
            self.dead_letters = self._backlog(*self._dead_letters_source)
        return False

    def _backlog(self, topic: str, group: str) -> TopicBacklog:
        messages = sum(map(len, self._bus.backlog(topic, group).values()))
        oldest = self._bus.oldest(topic, group) if messages else None
        return TopicBacklog(messages, 0.0 if oldest is None else max(0.0, self._age(oldest)))

    def _age(self, moment: datetime) -> float:
        return (self._store.reads.now() - moment).total_seconds()


class RefundSampler(WithoutResources):
    """Job that warns of refunds without an answer for an hour. `unanswered`: of the last sample."""

    name = "refunds"

    def __init__(self, store: Store, *, every_seconds: float = REFUND_SAMPLE_SECONDS) -> None:
        self.idle_seconds = every_seconds
        self.unanswered = 0
        self._store = store

    def run_once(self, should_continue: ShouldContinue = always) -> bool:
        """Take one sample; log a warning if a refund is unanswered. Raises ServiceBusy."""
        statistics = self._store.reads.statistics()
        self.unanswered = statistics.unanswered_refunds
        if self.unanswered:
            oldest = statistics.oldest_unanswered_refund_seconds or 0.0
            _log.warning("refunds.unanswered", refunds=self.unanswered, oldest_seconds=round(oldest))
        return False
