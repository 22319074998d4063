"""The Catalog: who knows which events and seats exist, and what they cost."""

from collections.abc import Collection, Sequence
from typing import Protocol
from uuid import UUID

from booking_core.domain.errors import CatalogUnavailable
from booking_core.domain.values import Seat, TicketedEvent


class CatalogAnswerInvalid(CatalogUnavailable):
    """The Catalog answered with something that makes no sense (no JSON, a negative price, another event's data).

    To a customer this is the same as no answer; the log names what was wrong.
    """


class Catalog(Protocol):
    """A client of the Catalog. Safe to use from many threads; every call is bounded in time, and connects lazily.

    Both methods raise CatalogUnavailable when there is no answer in time (retries included) or the breaker is open,
    and CatalogAnswerInvalid when the answer is nonsense, whole: a list with one impossible seat is no list.
    """

    def event(self, event_id: UUID) -> TicketedEvent | None:
        """The event as the Catalog has it now; None if it does not exist (404)."""
        ...

    def seats(self, event: TicketedEvent, seat_ids: Collection[UUID] | None = None) -> Sequence[Seat] | None:
        """The seats of that event, in no particular order, none twice; all of them if `seat_ids` is None.

        Unknown ids are left out. None if the event does not exist (404). Prices fit the decimals of the event's
        currency. Seats that were not asked for are dropped.
        """
        ...

    def close(self) -> None:
        """Let go of connections. May be called twice."""
        ...
