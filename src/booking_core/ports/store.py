"""The store: writing, reading, publishing and upkeep of bookings, each behind a port of its own."""

from typing import Protocol
from uuid import UUID

from booking_core.ports.operators import OperatorReads
from booking_core.ports.outbox import Outbox
from booking_core.ports.reads import Reads
from booking_core.ports.unit_of_work import UnitOfWork
from booking_core.ports.upkeep import Upkeep


class Store(Protocol):
    """A store of bookings. Safe to use from many threads; connects lazily.

    `retries`: how often a use case may run again after TransactionConflict; 0 where the caller owns the transaction
    and has to retry itself.
    """

    @property
    def retries(self) -> int: ...
    @property
    def reads(self) -> Reads: ...
    @property
    def operators(self) -> OperatorReads: ...
    @property
    def outbox(self) -> Outbox: ...
    @property
    def upkeep(self) -> Upkeep: ...

    def unit_of_work(self) -> UnitOfWork:
        """A new unit of work, not yet entered."""
        ...

    def await_reservations_in_flight(self, event_id: UUID) -> None:
        """Return once every reservation of the event that held seat locks when the call began has ended.

        After a committed closure, every later reservation sees the closure, so no new booking can appear when this
        returns. Uses short transactions of its own and keeps no lock. Raises ServiceBusy if a reservation has not
        ended within a bounded wait; the caller may call again.
        """
        ...

    def close(self) -> None:
        """Close all connections. May be called twice."""
        ...
