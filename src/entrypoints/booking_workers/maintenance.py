"""Maintenance jobs: expiry of overdue holds, the end of cancelled events' bookings, and retention."""

from typing import Final

from booking_core.application import expire, finish_closure
from booking_core.application.system_runtime import SYSTEM_RUNTIME
from booking_core.domain.errors import ServiceBusy
from booking_core.ports.runtime import Runtime
from booking_core.ports.store import Store
from booking_telemetry.logs import get_logger
from booking_workers.jobs import ShouldContinue, WithoutResources, always

_log = get_logger(__name__)

_PRUNED_ROWS: Final = 1000
_PRUNED_CHUNKS: Final = 20


class ExpiryJob(WithoutResources):
    """Job that ends overdue holds (US-04, FR-14). `expired` and `seats_released` count since the start.

    A hold is over at its deadline whether this job has run or not (ADR 0004). Passes begin `every_seconds` apart, or
    follow each other at once if a pass takes longer.
    """

    name = "expire"

    def __init__(self, store: Store, *, every_seconds: float = 60.0, runtime: Runtime = SYSTEM_RUNTIME) -> None:
        self.idle_seconds = every_seconds
        self.expired = self.seats_released = 0
        self._store, self._every_seconds, self._runtime = store, every_seconds, runtime

    def run_once(self, should_continue: ShouldContinue = always) -> bool:
        """End every overdue hold that is not locked; always False, for the next pass retries locked ones.

        Raises ServiceBusy.
        """
        began = self._runtime.monotonic()
        result = expire(store=self._store, should_continue=should_continue, runtime=self._runtime)
        self.expired += result.expired
        self.seats_released += result.seats_released
        if result.expired:
            _log.info("expire.swept", expired=result.expired, seats_released=result.seats_released)
        self.idle_seconds = max(0.0, self._every_seconds - (self._runtime.monotonic() - began))
        return False


class CancellationJob(WithoutResources):
    """Job that ends the live bookings of cancelled events (spec 6.4), the oldest cancellation first.

    A cancellation that waits for a lock does not delay the others.
    """

    name = "closure"

    def __init__(self, store: Store, *, idle_seconds: float = 1.0, runtime: Runtime = SYSTEM_RUNTIME) -> None:
        self.idle_seconds = idle_seconds
        self._store, self._runtime = store, runtime

    def run_once(self, should_continue: ShouldContinue = always) -> bool:
        """Continue every open cancellation. Raises ServiceBusy at the end if one of them waited too long for a lock."""
        busy: ServiceBusy | None = None
        for closure in self._store.reads.open_closures():
            if not should_continue():
                break
            try:
                done = finish_closure(
                    closure, store=self._store, should_continue=should_continue, runtime=self._runtime
                )
            except ServiceBusy as error:
                busy = error
                continue
            _log.info(
                "closure.finished" if should_continue() else "closure.interrupted",
                event_id=str(closure.event_id),
                correlation_id=closure.correlation_id,
                bookings=done.bookings,
                seats=done.seats,
            )
        if busy is not None:
            raise busy
        return False


class RetentionJob(WithoutResources):
    """Job that deletes expired idempotency keys, old inbox rows, past holds and events published long ago.

    Bookings and their history are never deleted. `deleted` counts since the start.
    """

    name = "prune"

    def __init__(
        self, store: Store, *, idempotency_hours: float, retention_days: float, every_seconds: float = 60.0
    ) -> None:
        self.idle_seconds = every_seconds
        self.deleted = 0
        self._store = store
        self._idempotency_hours, self._retention_days = idempotency_hours, retention_days

    def run_once(self, should_continue: ShouldContinue = always) -> bool:
        """Delete at most 20 chunks of 1000 rows of each kind; the next pass deletes the rest. Raises ServiceBusy."""
        rows = events = 0
        for _ in range(_PRUNED_CHUNKS):
            if not should_continue():
                break
            removed = self._store.upkeep.prune(
                idempotency_hours=self._idempotency_hours, retention_days=self._retention_days, limit=_PRUNED_ROWS
            )
            rows, events = rows + removed.rows, events + removed.events
            self.deleted += removed.total
            if not removed.total:
                break
        if rows or events:
            _log.info("prune.removed", rows=rows, events=events)
        return False
