"""Money that was asked back and of which nothing was heard: said in the log until the Payment Service has answered."""

import structlog

from booking_core.ports.store import Store
from booking_service.running import GoOn, always

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

    def run_once(self, go_on: GoOn = always) -> bool:
        """One look; a warning if there are any. Raises ServiceBusy."""
        statistics = self._store.queries.statistics()
        self.unanswered = statistics.unanswered_refunds
        if self.unanswered:
            oldest = statistics.oldest_unanswered_refund_seconds or 0.0
            _log.warning("refunds.unanswered", refunds=self.unanswered, oldest_seconds=round(oldest))
        return False

    def close(self) -> None:
        """Nothing of its own is open."""
