"""Reserve seats (US-01): the hot path, and the only use case that locks a user."""

from collections.abc import Callable

from attrs import define, frozen

from booking_core.application.catalog_cache import CatalogCache
from booking_core.application.retries import in_unit_of_work
from booking_core.application.system_runtime import SYSTEM_RUNTIME
from booking_core.domain.booking import Booking
from booking_core.domain.commands import Reserve
from booking_core.domain.errors import CommitOutcomeUnknown
from booking_core.domain.policies import br_03_seat_limit, missing_seats, refusal_of
from booking_core.domain.reservation import IdempotencyKey, ReservationFacts, SeatRequest, StoredResponse
from booking_core.domain.values import Terms
from booking_core.ports.bookings import LockedSeats
from booking_core.ports.runtime import Runtime
from booking_core.ports.store import Store
from booking_core.ports.unit_of_work import UnitOfWork


@frozen(kw_only=True)
class IdempotentCall:
    """The idempotency key of a request, and how the response that is stored under it is rendered."""

    key: IdempotencyKey
    render: Callable[[Booking], str]


@frozen(kw_only=True)
class ReplayedResponse:
    """The response of an earlier request with the same idempotency key."""

    text: str


def reserve(
    command: Reserve,
    *,
    store: Store,
    catalog_cache: CatalogCache | None = None,
    terms: Terms | None = None,
    runtime: Runtime = SYSTEM_RUNTIME,
) -> Booking:
    """Hold the seats for the customer until the payment window ends; all of them or none (spec 6.3).

    Without a catalog cache, only what the store knows can be reserved. Raises, in this order: TooManySeats,
    EventNotFound, EventNotOnSale, SeatNotFound, PendingLimitReached, SeatAlreadyReserved (with every unavailable seat);
    CatalogUnavailable if the Catalog is needed; ServiceBusy if a lock was not available in time.
    """
    result = _reserve(command, None, store, catalog_cache, terms, runtime)
    assert isinstance(result, Booking)  # noqa: S101 - a stored response needs a key
    return result


def reserve_once(
    command: Reserve,
    *,
    once: IdempotentCall,
    store: Store,
    catalog_cache: CatalogCache | None = None,
    terms: Terms | None = None,
    runtime: Runtime = SYSTEM_RUNTIME,
) -> Booking | ReplayedResponse:
    """Reserve as `reserve` does, at most once per key: a repeated request gets the response of the first.

    Only successes are stored. Raises IdempotencyKeyReused if another request used the key, and IdempotencyInProgress
    if the first request is still running after a bounded wait.
    """
    return _reserve(command, once, store, catalog_cache, terms, runtime)


def _reserve(
    command: Reserve,
    once: IdempotentCall | None,
    store: Store,
    catalog_cache: CatalogCache | None,
    terms: Terms | None,
    runtime: Runtime,
) -> Booking | ReplayedResponse:
    if refusal := br_03_seat_limit(len(command.seat_ids)):
        raise refusal
    # An event that could not be fetched a moment ago costs no query, so that the requests for others do not notice.
    if catalog_cache is not None and (failure := catalog_cache.failure_of(command.event_id)):
        raise failure
    attempt = _Attempt(command, once, store, catalog_cache, terms or Terms(), runtime)
    try:
        return attempt.run()
    except _FetchNeeded as needed:
        assert catalog_cache is not None  # noqa: S101 - only a catalog cache needs to fetch
        catalog_cache.ensure_loaded(command.event_id, missing_seats(needed.facts))
        attempt.has_fetched = True
        return attempt.run()


def seat_request_of(command: Reserve, once: IdempotentCall | None) -> SeatRequest:
    """What a store has to lock for the reservation."""
    return SeatRequest(
        user_id=command.user_id,
        event_id=command.event_id,
        seat_ids=command.seat_ids,
        idempotency=once.key if once else None,
    )


class _FetchNeeded(Exception):
    """The Catalog has facts that decide this reservation."""

    def __init__(self, facts: ReservationFacts) -> None:
        self.facts = facts


@define(eq=False)
class _Attempt:
    command: Reserve
    once: IdempotentCall | None
    store: Store
    catalog_cache: CatalogCache | None
    terms: Terms
    runtime: Runtime
    has_fetched: bool = False
    is_stale: bool = False
    booking: Booking | None = None

    def run(self) -> Booking | ReplayedResponse:
        try:
            return in_unit_of_work(self.store, self._work, repeatable=False, runtime=self.runtime)
        except CommitOutcomeUnknown:
            # The reply to COMMIT was lost: either the booking is stored, or it never will be (503).
            if self.booking is not None and self.store.reads.booking(self.booking.booking_id) is not None:
                return self.booking
            raise
        finally:
            # After the unit of work, because a refresh may need its connection; after a refusal too, because a refresh
            # may remove the reason for it.
            if self.is_stale and self.catalog_cache is not None:
                self.catalog_cache.refresh_later(self.command.event_id)

    def _work(self, uow: UnitOfWork) -> Booking | ReplayedResponse:
        command, once = self.command, self.once
        request = seat_request_of(command, once)
        facts = uow.bookings.lock_seats(request)
        if isinstance(facts, StoredResponse):
            return ReplayedResponse(text=facts.text)
        self._check_freshness(request, facts)
        if refusal := refusal_of(facts):
            raise refusal
        for overdue in facts.overdue:
            overdue.expire(facts.now, command.cause)
            uow.bookings.save(overdue)
        self.booking = booking = self._book(facts)
        uow.bookings.add(booking)
        if once is not None:
            uow.responses.keep(once.key, once.render(booking))
        uow.commit()
        return booking

    def _check_freshness(self, request: SeatRequest, facts: ReservationFacts) -> None:
        if self.catalog_cache is None:
            return
        if not self.has_fetched and self.catalog_cache.needs_fetch(request, facts):
            raise _FetchNeeded(facts)
        self.is_stale = self.catalog_cache.is_stale(facts)

    def _book(self, facts: LockedSeats) -> Booking:
        assert facts.event is not None  # noqa: S101 - an unknown event is refused before
        return Booking.reserve(
            user_id=self.command.user_id,
            event=facts.event,
            seats=tuple(facts.seats[seat_id] for seat_id in self.command.seat_ids),
            now=facts.now,
            terms=self.terms,
            cause=self.command.cause,
        )
