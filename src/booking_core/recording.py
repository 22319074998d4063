"""How an aggregate records what happened to it: numbered events for the outbox, numbered entries for the history."""

from datetime import datetime
from typing import Any
from uuid import UUID

from attrs import define, field

from booking_core.events import BookingEvent
from booking_core.history import HistoryEntry
from booking_core.identity import new_id
from booking_core.lifecycle import Status, Trigger
from booking_core.values import Cause


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
