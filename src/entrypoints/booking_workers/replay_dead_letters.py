"""Replaying dead letters: they take the normal path once more, and those that fail again are kept again."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from booking_core.domain.errors import BookingError, BookingNotFound, BusUnavailable, Failure
from booking_core.ports.event_bus import Delivery, EventBus, Subscription
from booking_core.ports.store import Store
from booking_workers.dead_letters import DeadLetters
from booking_workers.jobs import ShouldContinue, always
from booking_workers.message_handler import Handler, Outcome, Verdict, reason_of, understood

_log = structlog.get_logger(__name__)

POLL_SECONDS: Final = 0.5
PATIENCE_SECONDS: Final = 30.0

Handle = Callable[[Sequence[Delivery]], Sequence[Verdict]]


class ReplayStalled(Failure):
    """Letters wait, and none comes."""

    code = "REPLAY_STALLED"
    message = f"Dead letters wait but have not come for {PATIENCE_SECONDS:.0f} s: another replay may have them"


def replay_group(consumer_group: str) -> str:
    """The consumer group of all replays of dead letters; what waits for it is how many there are."""
    return f"{consumer_group}-replay"


def would_handle(store: Store) -> Handle:
    """As far as can be said without changing anything: the message is understood, and its booking is there."""

    def verdict(delivery: Delivery) -> Verdict:
        command = understood(delivery)
        if isinstance(command, Verdict):
            return command
        return Outcome.APPLIED if store.queries.booking(command.booking_id) else BookingNotFound()

    return lambda deliveries: [verdict(delivery) for delivery in deliveries]


class LetterReplay:
    """One replay of the letters that wait when it begins; `counts` tells: applied, failed.

    A batch's failures are kept again, behind the end of this replay, before the group's offset is committed. So killed
    at any moment it loses nothing: what was applied has no second effect, and what failed may be kept twice.
    Without `dead_letters` nothing is kept or committed: what `handle` says is counted, and that is all.
    """

    def __init__(
        self, bus: EventBus, *, topic: str, group: str, handle: Handle, dead_letters: DeadLetters | None
    ) -> None:
        self.counts: Counter[str] = Counter(applied=0, failed=0)
        self._bus, self._topic, self._group = bus, topic, group
        self._handle, self._dead_letters = handle, dead_letters
        # Where the next letter is that this process has not handled, and where its work ends, by partition.
        self._next: dict[int, int] = {}
        self._ends: dict[int, int] = {}

    @classmethod
    def for_real(cls, bus: EventBus, handler: Handler, *, topic: str, group: str) -> "LetterReplay":
        """The replay that changes things."""
        return cls(bus, topic=topic, group=group, handle=handler.handle, dead_letters=DeadLetters(bus, topic))

    def run(
        self, progress: Callable[[int, int], None] = lambda done, of: None, should_continue: ShouldContinue = always
    ) -> bool:
        """Handle all that waits now; False if `should_continue` ended it early. `progress` is given how many of how
        many.

        Raises ServiceBusy and BusUnavailable (run it again: it goes on where it was), and ReplayStalled.
        """
        backlog = self._bus.backlog(self._topic, self._group)
        self._next = {partition: offsets.start for partition, offsets in backlog.items()}
        self._ends = {partition: offsets.stop for partition, offsets in backlog.items()}
        total = sum(map(len, backlog.values()))
        if total == 0:
            return True
        subscription = self._bus.subscribe(self._topic, self._group)
        try:
            return self._empty(subscription, lambda: progress(self.counts.total(), total), should_continue)
        finally:
            subscription.close()

    def _empty(self, subscription: Subscription, progress: Callable[[], None], should_continue: ShouldContinue) -> bool:
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while should_continue():
            deliveries = subscription.poll(POLL_SECONDS)
            fresh = [delivery for delivery in deliveries if self._is_fresh(delivery)]
            if fresh:
                self._take(fresh)
                progress()
                give_up_at = time.monotonic() + PATIENCE_SECONDS
            self._commit(subscription)
            if (not deliveries or self._all_handled()) and self._is_over():
                return True
            if time.monotonic() > give_up_at:
                raise ReplayStalled()
        return False

    def _is_fresh(self, delivery: Delivery) -> bool:
        """Neither kept again by this very replay, nor handled before the group shared out its partitions anew."""
        place = delivery.partition
        return place in self._ends and self._next[place] <= delivery.offset < self._ends[place]

    def _take(self, letters: Sequence[Delivery]) -> None:
        failed: list[tuple[Delivery, str, str]] = []
        for letter, verdict in zip(letters, self._handle(letters), strict=True):
            if isinstance(verdict, Outcome):
                continue
            if not isinstance(verdict, BookingError):
                place = {"partition": letter.partition, "offset": letter.offset}
                _log.error("replay.gave_up", **place, exc_info=verdict)
            failed.append((letter, *reason_of(verdict)))
        if self._dead_letters is not None:
            self._dead_letters.keep_again(failed)
        for letter in letters:
            self._next[letter.partition] = letter.offset + 1
        self.counts["failed"] += len(failed)
        self.counts["applied"] += len(letters) - len(failed)

    def _commit(self, subscription: Subscription) -> None:
        if self._dead_letters is None:
            return
        try:
            subscription.commit(before=self._ends)
        except BusUnavailable as error:
            # Mostly the group has changed: what comes again was handled, and only waits to be committed.
            _log.info("replay.commit_failed", error=str(error))

    def _all_handled(self) -> bool:
        return all(self._next[partition] >= end for partition, end in self._ends.items())

    def _is_over(self) -> bool:
        """Everything is done, by us or by another replay; what the bus says counts, unless nothing is committed."""
        if self._dead_letters is None:
            return self._all_handled()
        come = self._bus.backlog(self._topic, self._group)
        return all(come[partition].start >= end for partition, end in self._ends.items() if partition in come)
