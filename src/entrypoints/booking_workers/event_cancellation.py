"""Closures: what an administrator's cancelled event still has of live bookings is ended here (spec 6.4)."""

import structlog

from booking_core.application import finish_closure
from booking_core.domain.errors import ServiceBusy
from booking_core.ports.store import Store
from booking_workers.jobs import ShouldContinue, always

_log = structlog.get_logger(__name__)


class CancellationJob:
    """Finishes the closures that are open, the oldest first; one that is held up does not hold up the others."""

    name = "closure"

    def __init__(self, store: Store, *, idle_seconds: float = 1.0) -> None:
        self.idle_seconds = idle_seconds
        self._store = store

    def run_once(self, should_continue: ShouldContinue = always) -> bool:
        """One pass over all open closures. Raises ServiceBusy at its end if somebody held locks for too long."""
        held_up: ServiceBusy | None = None
        for closure in self._store.queries.open_closures():
            if not should_continue():
                break
            try:
                done = finish_closure(closure, store=self._store, should_continue=should_continue)
            except ServiceBusy as error:
                held_up = error
                continue
            _log.info(
                "closure.finished" if should_continue() else "closure.interrupted",
                event_id=str(closure.event_id),
                correlation_id=closure.correlation_id,
                bookings=done.bookings,
                seats=done.seats,
            )
        if held_up is not None:
            raise held_up
        return False

    def close(self) -> None:
        """Nothing of its own is open."""
