"""The Catalog port: the service that owns events, seats and prices."""

from collections.abc import Collection, Sequence
from typing import Protocol
from uuid import UUID

from booking_core.domain.errors import CatalogUnavailable
from booking_core.domain.values import SaleStatus, Seat, TicketedEvent


class CatalogAnswerInvalid(CatalogUnavailable):
    """The Catalog returned an invalid response (no JSON, a negative price, another event's data).

    A customer sees the same error as for no response; the log names what was wrong. `sale_status` is that of the event,
    if the response of `Catalog.event` says so much and it is not ON_SALE: the sale stops, whatever else is wrong.
    """

    sale_status: SaleStatus | None = None


class CatalogBusy(CatalogUnavailable):
    """The Catalog is being asked, and this caller does not wait for the response: it is worth trying again soon."""

    retry_after = 1


class Catalog(Protocol):
    """A client of the Catalog. Safe to use from many threads; connects lazily; every call is bounded in time.

    `event` and `seats` raise CatalogUnavailable when there is no response in time (retries included) or the circuit
    breaker is open, and CatalogAnswerInvalid when any part of the response is invalid.
    """

    def event(self, event_id: UUID) -> TicketedEvent | None:
        """Return the event as the Catalog has it now; None if it does not exist (404)."""
        ...

    def seats(self, event: TicketedEvent, seat_ids: Collection[UUID] | None = None) -> Sequence[Seat] | None:
        """Return these seats of the event (None: all), in any order, each once; None if the event does not exist.

        Unknown ids are left out, and so are seats that were not asked for. Prices fit the decimals of the event's
        currency.
        """
        ...

    @property
    def breaker_state(self) -> str | None:
        """`closed`, `open` or `half-open`, without any I/O; None for a client without a circuit breaker."""
        ...

    def close(self) -> None:
        """Close all connections. May be called twice."""
        ...
