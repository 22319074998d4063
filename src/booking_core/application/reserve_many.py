"""Reserve many: a group in one transaction, and what it cannot decide alone after it, over a Store that blocks."""

from collections.abc import Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from attrs import field, frozen

from booking_core.application.catalog_cache import CatalogCache
from booking_core.application.reserve import reserve, reserve_once
from booking_core.application.reserve_group import (
    Outcome,
    ReservationRequest,
    in_order,
    reserve_group_on,
    sorted_out,
)
from booking_core.application.system_runtime import SYSTEM_RUNTIME
from booking_core.domain.errors import IdempotencyKeyReused
from booking_core.domain.group import Deferral, MemberFacts
from booking_core.domain.reservation import SeatRequest, StoredResponse
from booking_core.domain.values import Terms
from booking_core.messages.trace_context import traced_as
from booking_core.ports.bookings import NewBooking
from booking_core.ports.groups import GroupTransaction
from booking_core.ports.runtime import Runtime
from booking_core.ports.store import Store
from booking_core.ports.unit_of_work import UnitOfWork


def reserve_many(
    requests: Sequence[ReservationRequest],
    *,
    store: Store,
    catalog_cache: CatalogCache | None = None,
    terms: Terms | None = None,
    runtime: Runtime = SYSTEM_RUNTIME,
) -> list[Outcome]:
    """Reserve in one transaction what can be decided there, then each deferred request in a transaction of its own.

    The outcomes are in the order of the requests, and equal those of `reserve` or `reserve_once`, called one after the
    other with the deferred requests last. In a transaction that the caller owns nothing is reserved alone: such
    requests are returned as a Deferral, and a failure of the whole group is raised.
    """
    outcomes = reserve_group(requests, store=store, catalog_cache=catalog_cache, terms=terms, runtime=runtime)
    if store.retries == 0:
        return outcomes  # the caller owns the transaction
    alone = _Alone(store, catalog_cache, terms, runtime)
    return [
        alone.reserve(request) if isinstance(outcome, Deferral) else outcome
        for request, outcome in zip(requests, outcomes, strict=True)
    ]


def reserve_group(
    requests: Sequence[ReservationRequest],
    *,
    store: Store,
    catalog_cache: CatalogCache | None = None,
    terms: Terms | None = None,
    runtime: Runtime = SYSTEM_RUNTIME,
) -> list[Outcome]:
    """As `reserve_group_on`, over a store that blocks. A group of one runs as `reserve` does."""
    outcomes, members = sorted_out(requests, catalog_cache)
    if len(members) == 1:
        alone = _Alone(store, catalog_cache, terms, runtime)
        return in_order(outcomes, members, [alone.reserve(requests[members[0]])])
    groups = _BlockingGroups(store, runtime)
    return _completed(reserve_group_on(groups, requests, catalog_cache=catalog_cache, terms=terms, runtime=runtime))


def _completed(coroutine: Coroutine[Any, Any, list[Outcome]]) -> list[Outcome]:
    """Run a coroutine that never suspends, because what it awaits blocks."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        outcomes: list[Outcome] = end.value
        return outcomes
    raise AssertionError("a blocking store suspended its coroutine")


@frozen
class _Alone:
    """Reserves one request on the path of a single reservation."""

    store: Store
    catalog_cache: CatalogCache | None
    terms: Terms | None
    runtime: Runtime

    def reserve(self, request: ReservationRequest) -> Outcome:
        given: dict[str, Any] = {
            "store": self.store,
            "catalog_cache": self.catalog_cache,
            "terms": self.terms,
            "runtime": self.runtime,
        }
        with nullcontext() if request.traceparent is None else traced_as(request.traceparent):
            try:
                if request.once is None:
                    return reserve(request.command, **given)
                return reserve_once(request.command, once=request.once, **given)
            except Exception as error:
                return error


@frozen
class _BlockingGroups:
    """A GroupStore over a store that blocks: awaiting it never suspends."""

    store: Store
    runtime: Runtime
    retries: int = field(init=False)

    @retries.default
    def _retries_of_store(self) -> int:
        return self.store.retries

    def transaction(self) -> AbstractAsyncContextManager[GroupTransaction]:
        return _BlockingTransaction(self.store.unit_of_work())

    async def is_stored(self, booking_id: UUID) -> bool:
        return self.store.reads.booking(booking_id) is not None

    async def sleep(self, seconds: float) -> None:
        self.runtime.sleep(seconds)

    def close(self) -> None:
        """Do nothing: each unit of work returns its connection."""


@frozen(eq=False)
class _BlockingTransaction:
    uow: UnitOfWork

    async def __aenter__(self) -> Self:
        self.uow.__enter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.uow.__exit__(kind, error, trace)

    async def lock_group(
        self, requests: Sequence[SeatRequest]
    ) -> Sequence[MemberFacts | StoredResponse | IdempotencyKeyReused | Deferral]:
        return self.uow.bookings.lock_group(requests)

    async def add_group(self, bookings: Sequence[NewBooking]) -> None:
        self.uow.bookings.add_group(bookings)
        self.uow.commit()
