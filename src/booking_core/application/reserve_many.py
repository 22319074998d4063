"""Reserve in groups: many reservations share one transaction, and those it cannot decide are reserved alone after it.

Nothing in a group waits for another transaction. A member that would have to wait, or for which a fact is missing, is
deferred (design, "Groups").
"""

from collections.abc import Sequence
from contextlib import nullcontext
from copy import copy
from typing import Any
from uuid import UUID

from attrs import define, evolve, field, frozen

from booking_core.application.catalog_cache import CatalogCache
from booking_core.application.reserve import IdempotentCall, ReplayedResponse, reserve, reserve_once, seat_request_of
from booking_core.application.retries import in_unit_of_work
from booking_core.application.system_runtime import SYSTEM_RUNTIME
from booking_core.domain.booking import Booking
from booking_core.domain.commands import Reserve
from booking_core.domain.errors import CommitOutcomeUnknown, Failure, Refusal, TransactionConflict
from booking_core.domain.group import Decision, Deferral, GroupMember, MemberFacts, decide_group, deferral_of
from booking_core.domain.policies import br_03_seat_limit
from booking_core.domain.reservation import SeatRequest, StoredResponse
from booking_core.domain.values import Terms, is_storable
from booking_core.messages.trace_context import traced_as
from booking_core.ports.bookings import NewBooking
from booking_core.ports.runtime import Runtime
from booking_core.ports.store import Store
from booking_core.ports.unit_of_work import UnitOfWork

_Found = MemberFacts | StoredResponse | Refusal | Deferral
Outcome = Booking | ReplayedResponse | Deferral | Exception
"""What became of one request; an exception is what `reserve` or `reserve_once` would have raised for it."""


@frozen(kw_only=True)
class ReservationRequest:
    """One request of a group. `traceparent` is the trace that its booking belongs to; None: that of the caller."""

    command: Reserve
    once: IdempotentCall | None = None
    traceparent: str | None = None


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
    if _is_owned_by_caller(store):
        return outcomes
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
    """Reserve in one transaction what can be decided there; requests that have to be reserved alone are a Deferral.

    A group of one runs as `reserve` does. A conflict repeats the group, `store.retries` times at most. Any other error
    of the write splits the group in halves, each a group of its own. After a lost reply to COMMIT the bookings are
    looked up: if they are not stored, granted and refused requests are a CommitOutcomeUnknown.
    """
    outcomes: dict[int, Outcome] = {}
    members: list[int] = []
    keys: set[tuple[str, str, str]] = set()
    for place, request in enumerate(requests):
        if refusal := br_03_seat_limit(len(request.command.seat_ids)):
            outcomes[place] = refusal
        elif request.once is not None and not _is_first_with_its_key(request.command, request.once, keys):
            outcomes[place] = Deferral.IDEMPOTENCY_KEY
        else:
            members.append(place)
    given = [requests[place] for place in members]
    if len(given) == 1:
        decided = [_Alone(store, catalog_cache, terms, runtime).reserve(given[0])]
    else:
        decided = _Group(store, catalog_cache, terms or Terms(), runtime).outcomes(given)
    outcomes |= dict(zip(members, decided, strict=True))
    return [outcomes[place] for place in range(len(requests))]


def _is_first_with_its_key(command: Reserve, once: IdempotentCall, keys: set[tuple[str, str, str]]) -> bool:
    """True if the key can be read and written in the group: under the lock of this user, and by one member."""
    scope = once.key.user_id, once.key.operation, once.key.key
    if scope in keys or once.key.user_id != command.user_id:
        return False
    keys.add(scope)
    return True


def _is_owned_by_caller(store: Store) -> bool:
    return store.retries == 0


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
class _Group:
    """Runs a group, and the halves of a group that failed."""

    store: Store
    catalog_cache: CatalogCache | None
    terms: Terms
    runtime: Runtime

    def outcomes(self, requests: Sequence[ReservationRequest]) -> list[Outcome]:
        if not requests:
            return []
        attempt = _Attempt(requests, self.catalog_cache, self.terms)
        try:
            decisions = in_unit_of_work(self.store, attempt.work, repeatable=False, runtime=self.runtime)
            return [_outcome_of(decision) for decision in decisions]
        except CommitOutcomeUnknown:
            return self._look_up(attempt)
        except Exception as error:
            if isinstance(error, TransactionConflict) or (isinstance(error, Failure) and not attempt.is_writing):
                return self._all_failed(requests, error)
            return self._halves(requests)
        finally:
            # After the unit of work, because a refresh may need its connection.
            if self.catalog_cache is not None:
                for event_id in attempt.stale_events:
                    self.catalog_cache.refresh_later(event_id)

    def _all_failed(self, requests: Sequence[ReservationRequest], error: Exception) -> list[Outcome]:
        if _is_owned_by_caller(self.store):
            raise error
        return [copy(error) for _ in requests]

    def _halves(self, requests: Sequence[ReservationRequest]) -> list[Outcome]:
        """Run each half as a group; the request that fails by itself is reserved alone."""
        if len(requests) == 1:
            return [Deferral.WRITE_FAILED]
        half = len(requests) // 2
        return self.outcomes(requests[:half]) + self.outcomes(requests[half:])

    def _look_up(self, attempt: "_Attempt") -> list[Outcome]:
        """Find out whether the group is stored. One booking stands for all, because they are written together.

        If it is not stored it may be stored a moment later, so nothing that it decided is reserved alone.
        """
        try:
            is_stored = self.store.reads.booking(attempt.new[0].booking.booking_id) is not None
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
    """One unit of work of a group, repeated after a conflict."""

    requests: Sequence[ReservationRequest]
    catalog_cache: CatalogCache | None
    terms: Terms
    is_writing: bool = field(default=False, init=False)
    decisions: list[Decision] = field(factory=list, init=False)
    new: list[NewBooking] = field(factory=list, init=False)
    stale_events: set[UUID] = field(factory=set, init=False)

    def work(self, uow: UnitOfWork) -> list[Decision]:
        self.is_writing = False
        wanted = [seat_request_of(request.command, request.once) for request in self.requests]
        found = uow.bookings.lock_group(wanted)
        members = [
            GroupMember(command=request.command, facts=facts)
            for request, facts in zip(self.requests, map(self._with_fresh_catalog, wanted, found), strict=True)
        ]
        self._decide(members)
        if self.new:
            self.is_writing = True
            uow.bookings.add_group(self.new)
            uow.commit()
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
