"""Reserve in a group: many reservations share one transaction. Coroutines over a GroupStore, for any driver.

Nothing in a group waits for another transaction. A member that would have to wait, or for which a fact is missing, is
deferred (design, "Groups").
"""

from collections.abc import Callable, Sequence
from copy import copy
from enum import Enum
from uuid import UUID

from attrs import define, evolve, field, frozen

from booking_core.application.catalog_cache import CatalogCache
from booking_core.application.reserve import IdempotentCall, ReplayedResponse, seat_request_of
from booking_core.application.retries import backoff_seconds
from booking_core.application.system_runtime import SYSTEM_RUNTIME
from booking_core.domain.booking import Booking
from booking_core.domain.commands import Reserve
from booking_core.domain.errors import CommitOutcomeUnknown, Failure, Refusal, TransactionConflict
from booking_core.domain.group import Decision, Deferral, GroupMember, MemberFacts, decide_group, deferral_of
from booking_core.domain.policies import br_03_seat_limit
from booking_core.domain.reservation import SeatRequest, StoredResponse
from booking_core.domain.values import Terms, is_storable
from booking_core.ports.bookings import NewBooking
from booking_core.ports.groups import GroupStore, GroupTransaction
from booking_core.ports.runtime import Runtime

_Found = MemberFacts | StoredResponse | Refusal | Deferral
Outcome = Booking | ReplayedResponse | Deferral | Exception
"""What became of one request; an exception is what `reserve` or `reserve_once` would have raised for it."""


class GroupFailure(Enum):
    """What happened to a group whose transaction failed."""

    REPEATED = "repeated"
    """A conflict with another transaction: the group runs again."""
    SPLIT = "split"
    """The write failed: each half is a group of its own."""
    FAILED = "failed"
    """The store failed, or the conflict remained: every member fails."""
    COMMIT_UNKNOWN = "commit_unknown"
    """The reply to COMMIT was lost: the bookings are looked up."""


OnFailure = Callable[[GroupFailure, Exception], object]
"""Is called for each failure of a group, with the error."""


@frozen(kw_only=True)
class ReservationRequest:
    """One request of a group. `traceparent` is the trace that its booking belongs to; None: that of the caller."""

    command: Reserve
    once: IdempotentCall | None = None
    traceparent: str | None = None


async def reserve_group_on(
    groups: GroupStore,
    requests: Sequence[ReservationRequest],
    *,
    catalog_cache: CatalogCache | None = None,
    terms: Terms | None = None,
    runtime: Runtime = SYSTEM_RUNTIME,
    on_failure: OnFailure | None = None,
) -> list[Outcome]:
    """Reserve in one transaction what can be decided there; requests that have to be reserved alone are a Deferral.

    The outcomes are in the order of the requests. A conflict repeats the group, `groups.retries` times at most. Any
    other error of the write splits the group in halves, each a group of its own. After a lost reply to COMMIT the
    bookings are looked up: if they are not stored, granted and refused requests are a CommitOutcomeUnknown.
    """
    outcomes, members = sorted_out(requests, catalog_cache)
    group = _Group(groups, catalog_cache, terms or Terms(), runtime, on_failure)
    decided = await group.outcomes([requests[place] for place in members])
    return in_order(outcomes, members, decided)


def sorted_out(
    requests: Sequence[ReservationRequest], catalog_cache: CatalogCache | None
) -> tuple[dict[int, Outcome], list[int]]:
    """The outcomes that need no store, by place; and the places of the requests that can share a transaction."""
    outcomes: dict[int, Outcome] = {}
    members: list[int] = []
    keys: set[tuple[str, str, str]] = set()
    for place, request in enumerate(requests):
        if refusal := br_03_seat_limit(len(request.command.seat_ids)):
            outcomes[place] = refusal
        elif request.once is not None and not _is_first_with_its_key(request.command, request.once, keys):
            outcomes[place] = Deferral.IDEMPOTENCY_KEY
        elif catalog_cache is not None and (failure := catalog_cache.failure_of(request.command.event_id)):
            outcomes[place] = failure
        else:
            members.append(place)
    return outcomes, members


def in_order(outcomes: dict[int, Outcome], members: Sequence[int], decided: Sequence[Outcome]) -> list[Outcome]:
    """All outcomes in the order of the requests."""
    outcomes |= dict(zip(members, decided, strict=True))
    return [outcomes[place] for place in range(len(outcomes))]


def _is_first_with_its_key(command: Reserve, once: IdempotentCall, keys: set[tuple[str, str, str]]) -> bool:
    """True if the key can be read and written in the group: under the lock of this user, and by one member."""
    scope = once.key.user_id, once.key.operation, once.key.key
    if scope in keys or once.key.user_id != command.user_id:
        return False
    keys.add(scope)
    return True


@frozen
class _Group:
    """Runs a group, and the halves of a group that failed."""

    groups: GroupStore
    catalog_cache: CatalogCache | None
    terms: Terms
    runtime: Runtime
    on_failure: OnFailure | None

    async def outcomes(self, requests: Sequence[ReservationRequest]) -> list[Outcome]:
        if not requests:
            return []
        attempt = _Attempt(requests, self.catalog_cache, self.terms)
        try:
            return [_outcome_of(decision) for decision in await self._decisions(attempt)]
        except CommitOutcomeUnknown as error:
            self._failed(GroupFailure.COMMIT_UNKNOWN, error)
            return await self._look_up(attempt)
        except Exception as error:
            if isinstance(error, TransactionConflict) or (isinstance(error, Failure) and not attempt.is_writing):
                self._failed(GroupFailure.FAILED, error)
                return self._all_failed(requests, error)
            self._failed(GroupFailure.SPLIT, error)
            return await self._halves(requests)
        finally:
            # After the transaction, because a refresh may need its connection.
            if self.catalog_cache is not None:
                for event_id in attempt.stale_events:
                    self.catalog_cache.refresh_later(event_id)

    async def _decisions(self, attempt: "_Attempt") -> list[Decision]:
        """Run the transaction, and run it again after a conflict."""
        repeats = 0
        while True:
            attempt.is_writing = False
            try:
                async with self.groups.transaction() as transaction:
                    return await attempt.work(transaction)
            except TransactionConflict as error:
                repeats += 1
                if repeats > self.groups.retries:
                    raise
                self._failed(GroupFailure.REPEATED, error)
            await self.groups.sleep(backoff_seconds(repeats, self.runtime))

    def _failed(self, failure: GroupFailure, error: Exception) -> None:
        if self.on_failure is not None:
            self.on_failure(failure, error)

    def _all_failed(self, requests: Sequence[ReservationRequest], error: Exception) -> list[Outcome]:
        if self.groups.retries == 0:
            raise error  # the transaction is the caller's, and so is the decision
        return [copy(error) for _ in requests]

    async def _halves(self, requests: Sequence[ReservationRequest]) -> list[Outcome]:
        """Run each half as a group; the request that fails by itself is reserved alone."""
        if len(requests) == 1:
            return [Deferral.WRITE_FAILED]
        half = len(requests) // 2
        return await self.outcomes(requests[:half]) + await self.outcomes(requests[half:])

    async def _look_up(self, attempt: "_Attempt") -> list[Outcome]:
        """Find out whether the group is stored. One booking stands for all, because they are written together.

        If it is not stored it may be stored a moment later, so nothing that it decided is reserved alone.
        """
        try:
            is_stored = await self.groups.is_stored(attempt.new[0].booking.booking_id)
        except Failure:
            is_stored = False
        return [
            CommitOutcomeUnknown()
            if isinstance(decision, Booking | Refusal) and not is_stored
            else _outcome_of(decision)
            for decision in attempt.decisions
        ]


@define(eq=False)
class _Attempt:
    """One transaction of a group, repeated after a conflict."""

    requests: Sequence[ReservationRequest]
    catalog_cache: CatalogCache | None
    terms: Terms
    is_writing: bool = field(default=False, init=False)
    decisions: list[Decision] = field(factory=list, init=False)
    new: list[NewBooking] = field(factory=list, init=False)
    stale_events: set[UUID] = field(factory=set, init=False)

    async def work(self, transaction: GroupTransaction) -> list[Decision]:
        wanted = [seat_request_of(request.command, request.once) for request in self.requests]
        found = await transaction.lock_group(wanted)
        members = [
            GroupMember(command=request.command, facts=facts)
            for request, facts in zip(self.requests, map(self._with_fresh_catalog, wanted, found), strict=True)
        ]
        self._decide(members)
        if self.new:
            self.is_writing = True
            await transaction.add_group(self.new)
        return self.decisions

    def _with_fresh_catalog(self, wanted: SeatRequest, facts: _Found) -> _Found:
        """The facts, or the deferral of a member whose event or seats have to be fetched from the Catalog."""
        if self.catalog_cache is None or not isinstance(facts, MemberFacts):
            return facts
        if self.catalog_cache.is_stale(facts):
            self.stale_events.add(wanted.event_id)
        if deferral_of(facts) is None and self.catalog_cache.needs_fetch(wanted, facts):
            return Deferral.CATALOG_STALE
        return facts

    def _decide(self, members: list[GroupMember]) -> None:
        """Decide, and render the responses; a member whose response fails is deferred, and the others decided again."""
        self.decisions, self.new = decide_group(members, self.terms), []
        for place, (request, decision) in enumerate(zip(self.requests, self.decisions, strict=True)):
            if not isinstance(decision, Booking):
                continue
            try:
                self.new.append(_new_booking_of(request, decision))
            except Exception:
                # The request alone raises the error to its own caller.
                members[place] = evolve(members[place], facts=Deferral.RESPONSE_FAILED)
                return self._decide(members)
        return None


def _new_booking_of(request: ReservationRequest, booking: Booking) -> NewBooking:
    """Raises what rendering raises, or ValueError if no store can keep the response."""
    if request.once is None:
        return NewBooking(booking=booking, traceparent=request.traceparent)
    response = request.once.render(booking)
    if not is_storable(response):
        raise ValueError("the response holds NUL or unpaired surrogates")
    return NewBooking(booking=booking, key=request.once.key, response=response, traceparent=request.traceparent)


def _outcome_of(decision: Decision) -> Outcome:
    return ReplayedResponse(text=decision.text) if isinstance(decision, StoredResponse) else decision
