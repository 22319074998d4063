"""The history of a booking: one numbered entry for each change."""

from datetime import datetime

from attrs import frozen

from booking_core.domain.lifecycle import Status, Trigger
from booking_core.domain.values import ActorKind


@frozen(kw_only=True)
class HistoryEntry:
    """One change of one booking, written in the transaction that made it.

    `number` counts from 1 without gaps within the booking and is its revision. `at` is the database's clock when the
    change was made; the `cancelled_at` of a hold that expired is its deadline instead.
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
