"""The sweep: holds past their deadline are ended, every minute (US-04, FR-14). It only tidies: see ADR 0004."""

from time import monotonic

import structlog

from booking_core.application import expire
from booking_core.ports.store import Store
from booking_workers.jobs import ShouldContinue, always

_log = structlog.get_logger(__name__)


class ExpiryJob:
    """Ends overdue holds, all that are free in one pass. `expired` and `seats_released` count since the start.

    From the beginning of one pass to that of the next are `every_seconds`, or as long as the pass takes.
    """

    name = "expire"

    def __init__(self, store: Store, *, every_seconds: float = 60.0) -> None:
        self.idle_seconds = every_seconds
        self.expired = self.seats_released = 0
        self._store, self._every_seconds = store, every_seconds

    def run_once(self, should_continue: ShouldContinue = always) -> bool:
        """One pass; never more at once, for what is locked now is the next pass's. Raises ServiceBusy."""
        began = monotonic()
        swept = expire(store=self._store, should_continue=should_continue)
        self.expired += swept.expired
        self.seats_released += swept.seats_released
        if swept.expired:
            _log.info("expire.swept", expired=swept.expired, seats_released=swept.seats_released)
        self.idle_seconds = max(0.0, self._every_seconds - (monotonic() - began))
        return False

    def close(self) -> None:
        """Nothing of its own is open."""
