"""Pruning: what has served its time is removed, a little at a time. Bookings and their history never are."""

from typing import Final

import structlog

from booking_core.ports.store import Store
from booking_workers.jobs import ShouldContinue, always

_log = structlog.get_logger(__name__)

_ROWS: Final = 1000
_CHUNKS: Final = 20


class Pruner:
    """Removes expired idempotency keys, old inbox rows, dead holds, and events published long ago."""

    name = "prune"

    def __init__(
        self, store: Store, *, idempotency_hours: float, retention_days: float, every_seconds: float = 60.0
    ) -> None:
        self.idle_seconds = every_seconds
        self._store = store
        self._idempotency_hours, self._retention_days = idempotency_hours, retention_days

    def run_once(self, should_continue: ShouldContinue = always) -> bool:
        """At most 20 chunks of 1000 rows of each kind, the rest the next time. Raises ServiceBusy."""
        rows = events = 0
        for _ in range(_CHUNKS):
            if not should_continue():
                break
            removed = self._store.prune(
                idempotency_hours=self._idempotency_hours, retention_days=self._retention_days, limit=_ROWS
            )
            published = self._store.outbox.prune(self._retention_days, _ROWS)
            rows, events = rows + removed, events + published
            if not removed and not published:
                break
        if rows or events:
            _log.info("prune.removed", rows=rows, events=events)
        return False

    def close(self) -> None:
        """Nothing of its own is open."""
