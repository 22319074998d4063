"""How an aggregate records what happened to it: numbered events for the outbox, numbered entries for the history."""

from datetime import datetime
from typing import Any
from uuid import UUID

from attrs import define, field, frozen

from booking_core.domain.events import BookingEvent
from booking_core.domain.identity import new_id
from booking_core.domain.lifecycle import Status, Trigger
from booking_core.domain.values import ActorKind, Cause


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


@define(eq=False, kw_only=True)
class Recorder:
    """`revision` is the number of the last history entry, `sequence` that of the last event; both count from 1.

    `new_events` and `new_history` are what happened since it was loaded: a store writes them with the aggregate.
    """

    booking_id: UUID
    user_id: str
    status: Status
    revision: int = 0
    sequence: int = 0
    new_events: list[BookingEvent] = field(factory=list)
    new_history: list[HistoryEntry] = field(factory=list)

    @property
    def loaded_revision(self) -> int:
        """The revision that the store holds, for its compare-and-set; 0 for a booking it has never seen."""
        return self.revision - len(self.new_history)

    def _note(
        self,
        trigger: Trigger,
        before: Status | None,
        now: datetime,
        cause: Cause,
        payment_id: str | None = None,
        note: str = "",
    ) -> None:
        self.revision += 1
        self.new_history.append(
            HistoryEntry(
                number=self.revision,
                at=now,
                trigger=trigger,
                from_status=before,
                to_status=self.status,
                actor=cause.actor,
                actor_id=cause.actor_id,
                correlation_id=cause.correlation_id,
                payment_id=payment_id,
                note=note,
            )
        )

    def _say(self, kind: type[BookingEvent], now: datetime, correlation_id: str, **payload: Any) -> None:
        self.sequence += 1
        self.new_events.append(
            kind(
                message_id=new_id(now),
                timestamp=now,
                correlation_id=correlation_id,
                sequence=self.sequence,
                booking_id=self.booking_id,
                user_id=self.user_id,
                **payload,
            )
        )
