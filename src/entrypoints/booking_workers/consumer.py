"""The consumer: what the Payment Service says is applied to our bookings, each message once (FR-08 to FR-13)."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from booking_core.domain.errors import BookingError
from booking_core.domain.values import Terms
from booking_core.ports.event_bus import Delivery, EventBus, Subscription
from booking_core.ports.store import Store
from booking_workers.dead_letters import DeadLetters
from booking_workers.jobs import ShouldContinue, always
from booking_workers.message_handler import Handler, Outcome, Verdict, reason_of

_log = structlog.get_logger(__name__)

# poll() can't be woken: this is how long a stop may have to wait for it.
POLL_SECONDS: Final = 0.5
_TRIES: Final = 5


Handle = Callable[[Sequence[Delivery]], Sequence[Verdict]]
"""The verdict on each delivery, in their order."""

Handling = Callable[[Handle], Handle]


def as_it_is(handle: Handle) -> Handle:
    """Nothing around it."""
    return handle


class Consumer:
    """One member of the consumer group. `counts` tells since the start: applied, unchanged, skipped, dead.

    The offset is committed after a whole batch was applied or kept as dead letters; what is delivered again has no
    effect, because its id is in the inbox. An outage of database or bus is no poison: the batch is rewound and waits.
    A message that meets a bug of ours is tried five times before it becomes a dead letter.
    """

    name = "consumer"
    idle_seconds = 0.0

    def __init__(
        self,
        store: Store,
        bus: EventBus,
        *,
        topic: str,
        group: str,
        dead_letters: DeadLetters,
        terms: Terms,
        handling: Handling = as_it_is,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._bus, self._topic, self._group = bus, topic, group
        self._handle = handling(Handler(store, terms).handle)
        self._dead_letters = dead_letters
        self._subscription: Subscription | None = None
        self._tries: Counter[tuple[str, int, int]] = Counter()

    def run_once(self, should_continue: ShouldContinue = always) -> bool:
        """One batch, or half a second without one; always True. Raises ServiceBusy and BusUnavailable."""
        if self._subscription is None:
            self._subscription = self._bus.subscribe(self._topic, self._group)
        subscription = self._subscription
        deliveries = subscription.poll(POLL_SECONDS)
        if not deliveries:
            return True
        try:
            self._settle(deliveries, self._handle(deliveries))
        except BaseException:
            subscription.rewind()
            raise
        subscription.commit()
        self._tries.clear()
        return True

    def close(self) -> None:
        """Leave the group."""
        if self._subscription is not None:
            self._subscription.close()
            self._subscription = None
            _log.info("consumer.stopped", **self.counts)

    def _settle(self, deliveries: Sequence[Delivery], verdicts: Sequence[Verdict]) -> None:
        failed = [
            (delivery, verdict)
            for delivery, verdict in zip(deliveries, verdicts, strict=True)
            if not isinstance(verdict, Outcome)
        ]
        self._try_again_or_give_up([each for each in failed if not isinstance(each[1], BookingError)])
        self._dead_letters.keep([(delivery, *reason_of(error)) for delivery, error in failed])
        self.counts.update(verdict.value if isinstance(verdict, Outcome) else "dead" for verdict in verdicts)

    def _try_again_or_give_up(self, failed: Sequence[tuple[Delivery, Exception]]) -> None:
        """All of a batch are counted together: else each would have its five tries after the one before it."""
        origins = [(each.topic, each.partition, each.offset) for each, _ in failed]
        self._tries.update(origins)
        for origin, (_, error) in zip(origins, failed, strict=True):
            if self._tries[origin] < _TRIES:
                raise error
        for (topic, partition, offset), (_, error) in zip(origins, failed, strict=True):
            _log.error("consumer.gave_up", topic=topic, partition=partition, offset=offset, exc_info=error)
