"""Replay of dead letters: each is handled like a new message once more, and stored again if it fails again."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Final

from booking_core.application.system_runtime import SYSTEM_RUNTIME
from booking_core.domain.errors import BookingError, BookingNotFound, BusUnavailable, EventIdReused, Failure
from booking_core.ports.event_bus import Delivery, EventBus, Subscription
from booking_core.ports.runtime import Runtime
from booking_core.ports.store import Store
from booking_core.ports.unit_of_work import Receipt
from booking_telemetry.logs import get_logger
from booking_workers.consumer import (
    POLL_SECONDS,
    Handle,
    MessageOutcome,
    MessageResult,
    parsed,
    reason_of,
)
from booking_workers.dead_letters import DeadLetters, Failed
from booking_workers.jobs import ShouldContinue, always

_log = get_logger(__name__)

# Longer than a group takes to reassign the partitions of a member that died.
STALL_SECONDS: Final = 30.0


class ReplayStalled(Failure):
    """Dead letters wait, but the bus delivers none."""

    code = "REPLAY_STALLED"
    message = f"Dead letters wait but have not come for {STALL_SECONDS:.0f} s: another replay may have them"


def replay_group(consumer_group: str) -> str:
    """The consumer group of all replays; its backlog is the number of dead letters."""
    return f"{consumer_group}-replay"


def dry_run_handle(store: Store) -> Handle:
    """A handler that changes nothing: it checks that a message can be parsed, its booking exists, its id is not reused.

    It raises Failure as the replay itself does.
    """

    def result(delivery: Delivery) -> MessageResult:
        command = parsed(delivery)
        if isinstance(command, MessageResult):
            return command
        with store.unit_of_work() as uow:  # left without commit
            if command.booking_id not in uow.bookings.lock(command.booking_id):
                return BookingNotFound()
            [receipt] = uow.inbox.mark_processed([command])
        return EventIdReused() if receipt is Receipt.REUSED else MessageOutcome.APPLIED

    return lambda deliveries: [result(delivery) for delivery in deliveries]


def waiting_letters(bus: EventBus, *, topic: str, group: str, runtime: Runtime = SYSTEM_RUNTIME) -> list[Delivery]:
    """The dead letters that wait now, in any order; nothing is committed. Raises as `DeadLetterReplay.run`."""
    found: list[Delivery] = []

    def collect(deliveries: Sequence[Delivery]) -> Sequence[MessageResult]:
        found.extend(deliveries)
        return [MessageOutcome.UNCHANGED for _ in deliveries]

    DeadLetterReplay(bus, topic=topic, group=group, handle=collect, dead_letters=None, runtime=runtime).run()
    return found


class DeadLetterReplay:
    """One replay of the dead letters that wait when it begins; `counts`: applied, failed.

    Dead letters that fail again are published behind the end of this replay, before the group's offset is committed. A
    replay that is killed therefore loses nothing: an applied message has no second effect, and a failed one may be
    stored twice. Without `dead_letters` nothing is published or committed, and the results are only counted.

    With `chosen`, only the letters at these positions (partition, offset) are handled. Others that lie before them are
    published again as they are, and counted as kept: a group's offset cannot leave one out.
    """

    def __init__(
        self,
        bus: EventBus,
        *,
        topic: str,
        group: str,
        handle: Handle,
        dead_letters: DeadLetters | None,
        chosen: Collection[tuple[int, int]] | None = None,
        poll_seconds: float = POLL_SECONDS,
        stall_seconds: float = STALL_SECONDS,
        runtime: Runtime = SYSTEM_RUNTIME,
    ) -> None:
        self.counts: Counter[str] = Counter(applied=0, failed=0)
        self._bus, self._topic, self._group = bus, topic, group
        self._handle, self._dead_letters = handle, dead_letters
        self._chosen = None if chosen is None else frozenset(chosen)
        self._poll_seconds, self._stall_seconds, self._runtime = poll_seconds, stall_seconds, runtime
        # By partition: the next offset that this process has not handled, and the first one that is not its work.
        self._next: dict[int, int] = {}
        self._ends: dict[int, int] = {}

    def run(
        self, progress: Callable[[int, int], None] = lambda done, of: None, should_continue: ShouldContinue = always
    ) -> bool:
        """Handle all dead letters that wait now; False if `should_continue` ended the replay early.

        `progress` receives the number handled and the total. Raises ReplayStalled, and ServiceBusy and BusUnavailable:
        the next run goes on where this one ended.
        """
        backlog = self._bus.backlog(self._topic, self._group)
        self._next = {partition: offsets.start for partition, offsets in backlog.items()}
        self._ends = {partition: offsets.stop for partition, offsets in backlog.items()}
        if self._chosen is not None:
            last = dict(sorted(self._chosen))
            self._ends = {p: min(end, last.get(p, -1) + 1) for p, end in self._ends.items()}
        total = sum(max(0, end - self._next[partition]) for partition, end in self._ends.items())
        if total == 0:
            return True
        subscription = self._bus.subscribe(self._topic, self._group)
        try:
            return self._replay(subscription, lambda: progress(self.counts.total(), total), should_continue)
        finally:
            subscription.close()

    def _replay(
        self, subscription: Subscription, progress: Callable[[], None], should_continue: ShouldContinue
    ) -> bool:
        deadline = self._runtime.monotonic() + self._stall_seconds
        while should_continue():
            deliveries = subscription.poll(self._poll_seconds)
            pending = [delivery for delivery in deliveries if self._is_pending(delivery)]
            if pending:
                self._handle_batch(pending)
                progress()
                deadline = self._runtime.monotonic() + self._stall_seconds
            self._commit(subscription)
            if (not deliveries or self._all_handled()) and self._is_finished():
                return True
            if self._runtime.monotonic() > deadline:
                raise ReplayStalled()
        return False

    def _is_pending(self, delivery: Delivery) -> bool:
        """False for a letter that this replay published, or handled before the group reassigned its partitions."""
        partition = delivery.partition
        return partition in self._ends and self._next[partition] <= delivery.offset < self._ends[partition]

    def _handle_batch(self, polled: Sequence[Delivery]) -> None:
        deliveries = [each for each in polled if self._is_chosen(each)]
        kept = [each for each in polled if not self._is_chosen(each)]
        failed: list[Failed] = []
        for delivery, result in zip(deliveries, self._handle(deliveries), strict=True):
            if isinstance(result, MessageOutcome):
                continue
            if not isinstance(result, BookingError):
                place = {"partition": delivery.partition, "offset": delivery.offset}
                _log.error("replay.gave_up", **place, exc_info=result)
            failed.append((delivery, *reason_of(result)))
        if self._dead_letters is not None:
            self._dead_letters.keep_again(failed)
            self._dead_letters.move(kept)
        for delivery in polled:
            self._next[delivery.partition] = delivery.offset + 1
        self.counts["failed"] += len(failed)
        self.counts["applied"] += len(deliveries) - len(failed)
        if kept:
            self.counts["kept"] += len(kept)

    def _is_chosen(self, delivery: Delivery) -> bool:
        return self._chosen is None or (delivery.partition, delivery.offset) in self._chosen

    def _commit(self, subscription: Subscription) -> None:
        if self._dead_letters is None:
            return
        try:
            subscription.commit(before=self._ends)
        except BusUnavailable as error:
            # Usually the group has changed: redelivered letters were handled already, and only wait for a commit.
            _log.info("replay.commit_failed", error=str(error))

    def _all_handled(self) -> bool:
        return all(self._next[partition] >= end for partition, end in self._ends.items())

    def _is_finished(self) -> bool:
        """Whether this or another replay has handled every letter; the bus decides, unless nothing is committed."""
        if self._dead_letters is None:
            return self._all_handled()
        backlog = self._bus.backlog(self._topic, self._group)
        return all(backlog[partition].start >= end for partition, end in self._ends.items() if partition in backlog)
