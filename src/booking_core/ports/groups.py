"""Groups of reservations on an event loop: what a store offers whose transactions need not block a thread."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, runtime_checkable
from uuid import UUID

from booking_core.domain.errors import IdempotencyKeyReused
from booking_core.domain.group import Deferral, MemberFacts
from booking_core.domain.reservation import SeatRequest, StoredResponse
from booking_core.ports.bookings import NewBooking

RunInThread = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs a function that blocks in a thread, and returns or raises what it does."""


class GroupTransaction(Protocol):
    """The transaction of one group. Leaving it without `add_group` changes nothing."""

    async def lock_group(
        self, requests: Sequence[SeatRequest]
    ) -> Sequence[MemberFacts | StoredResponse | IdempotencyKeyReused | Deferral]:
        """See `BookingRepository.lock_group`. At most once in a transaction."""
        ...

    async def add_group(self, bookings: Sequence[NewBooking]) -> None:
        """See `BookingRepository.add_group`; and commit.

        Raises what `UnitOfWork.commit` raises: CommitOutcomeUnknown if the reply to COMMIT was lost.
        """
        ...


class GroupStore(Protocol):
    """Transactions for groups. Used from one event loop; awaiting here waits for the store alone.

    Each transaction that is open needs a connection of its own. `retries`: as `Store.retries`.
    """

    @property
    def retries(self) -> int: ...

    def transaction(self) -> AbstractAsyncContextManager[GroupTransaction]:
        """A new transaction, not yet entered. Entering raises ServiceBusy if no connection is available in time."""
        ...

    async def is_stored(self, booking_id: UUID) -> bool:
        """Whether the booking is stored. Asks over another connection than a transaction's. Raises ServiceBusy."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait before a group is repeated."""
        ...

    def close(self) -> None:
        """Return the connections to the store; no transaction is open. May be used again afterwards."""
        ...


@runtime_checkable
class EventLoopStore(Protocol):
    """Optional interface of a store that can run groups on an event loop. The gateway tests for it with isinstance."""

    def groups_on_event_loop(self, run_in_thread: RunInThread, *, kept: int = 1) -> GroupStore:
        """Groups for the running event loop. `run_in_thread` is for what blocks, such as opening a connection.

        The connections count among those of the store. Up to `kept` of them are kept between two transactions; others
        are returned when their transaction ends.
        """
        ...
