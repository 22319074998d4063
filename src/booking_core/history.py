"""What happened to a booking, kept for ever: who, when, why, and what it became."""

from datetime import datetime

from attrs import frozen

from booking_core.lifecycle import Status, Trigger
from booking_core.values import ActorKind


@frozen(kw_only=True)
class HistoryEntry:
    """One change of one booking, written in the transaction that made it.

    `number` counts from 1 without gaps within the booking and is its revision. `at` is the database's clock when the
    change was made; a hold that ended at its deadline says so in the booking's `cancelled_at`.
    """

    number: int
    at: datetime
    trigger: Trigger
    from_status: Status | None
    to_status: Status
    actor: ActorKind
    actor_id: str
    correlation_id: str
    payment_id: str | None = None
    note: str = ""
