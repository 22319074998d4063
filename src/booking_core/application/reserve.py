"""Reserve seats (US-01): the hot path, and the only one that locks a user."""

from collections.abc import Callable
from functools import partial

from attrs import define, frozen

from booking_core.application.catalog_cache import CatalogCache
from booking_core.application.retries import in_unit_of_work
from booking_core.application.system_runtime import SYSTEM_RUNTIME
from booking_core.domain.booking import Booking
from booking_core.domain.commands import Reserve
from booking_core.domain.errors import CommitOutcomeUnknown
from booking_core.domain.policies import br_03_seat_limit, missing_seats, refusal_of
from booking_core.domain.reservation import IdempotencyKey, ReservationFacts, SeatRequest
from booking_core.domain.values import Terms
from booking_core.ports.runtime import Runtime
from booking_core.ports.store import Store
from booking_core.ports.unit_of_work import LockedSeats, StoredResponse, UnitOfWork


@frozen(kw_only=True)
class IdempotentCall:
    """Make a request happen once: its key, and how the answer to keep under that key is written."""

    key: IdempotencyKey
    render: Callable[[Booking], str]


@frozen(kw_only=True)
class ReplayedResponse:
    """The request was answered before under the same idempotency key; this is that answer."""

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

    Raises, in this order: TooManySeats, EventNotFound, EventNotOnSale, SeatNotFound, PendingLimitReached,
    SeatAlreadyReserved (naming every unavailable seat); CatalogUnavailable if the Catalog is needed; ServiceBusy if a
    lock was not to be had in time. Without a mirror only what the store knows can be reserved.
    """
    outcome = _reserve(command, store, catalog_cache, terms or Terms(), runtime, None)
    assert isinstance(outcome, Booking)  # noqa: S101 - an earlier answer needs a key
    return outcome


def reserve_once(
    command: Reserve,
    *,
    once: IdempotentCall,
    store: Store,
    catalog_cache: CatalogCache | None = None,
    terms: Terms | None = None,
    runtime: Runtime = SYSTEM_RUNTIME,
) -> Booking | ReplayedResponse:
    """As `reserve`, at most once per key: the same request again gets the answer of the first.

    Only successes are kept. Raises IdempotencyKeyReused for another request under the key, and IdempotencyInProgress
    if the first one is still running after a bounded wait.
    """
    return _reserve(command, store, catalog_cache, terms or Terms(), runtime, once)


class _CatalogNeeded(Exception):
    """The decision needs facts that only the Catalog has."""

    def __init__(self, facts: ReservationFacts) -> None:
        self.facts = facts


def _reserve(
    command: Reserve,
    store: Store,
    catalog_cache: CatalogCache | None,
    terms: Terms,
    runtime: Runtime,
    once: IdempotentCall | None,
) -> Booking | ReplayedResponse:
    if refusal := br_03_seat_limit(len(command.seat_ids)):
        raise refusal
    attempt = partial(_Attempt, command, store, catalog_cache, terms, runtime, once)
    try:
        return attempt(may_ask=True).run()
    except _CatalogNeeded as needed:
        assert catalog_cache is not None  # noqa: S101 - only a mirror can need the Catalog
        catalog_cache.ensure_loaded(command.event_id, missing_seats(needed.facts))
        return attempt(may_ask=False).run()


@define(eq=False)
class _Attempt:
    command: Reserve
    store: Store
    catalog_cache: CatalogCache | None
    terms: Terms
    runtime: Runtime
    once: IdempotentCall | None
    may_ask: bool
    _made: Booking | None = None
    _stale: bool = False

    def run(self) -> Booking | ReplayedResponse:
        try:
            return in_unit_of_work(self.store, self._work, repeatable=False, runtime=self.runtime)
        except CommitOutcomeUnknown:
            # The reply to COMMIT was lost: the booking is there, or it never will be ours to show (then: 503).
            if self._made is not None and self.store.reads.booking(self._made.booking_id) is not None:
                return self._made
            raise
        finally:
            # After the unit of work, whatever came of it: a refresh may need its connection, and may lift a refusal.
            if self._stale and self.catalog_cache is not None:
                self.catalog_cache.refresh_later(self.command.event_id)

    def _work(self, uow: UnitOfWork) -> Booking | ReplayedResponse:
        command, once = self.command, self.once
        request = SeatRequest(
            user_id=command.user_id,
            event_id=command.event_id,
            seat_ids=command.seat_ids,
            idempotency=once.key if once else None,
        )
        facts = uow.bookings.lock_seats(request)
        if isinstance(facts, StoredResponse):
            return ReplayedResponse(text=facts.text)
        if self.catalog_cache is not None:
            if self.may_ask and self.catalog_cache.needs_fetch(request, facts):
                raise _CatalogNeeded(facts)
            self._stale = self.catalog_cache.is_stale(facts)
        if refusal := refusal_of(facts):
            raise refusal
        self._made = booking = self._decide(uow, facts)
        uow.bookings.add(booking)
        if once is not None:
            uow.responses.keep(once.key, once.render(booking))
        uow.commit()
        return booking

    def _decide(self, uow: UnitOfWork, facts: LockedSeats) -> Booking:
        command = self.command
        assert facts.event is not None  # noqa: S101 - refused above
        for overdue in facts.overdue:
            overdue.expire(facts.now, command.cause)
            uow.bookings.save(overdue)
        return Booking.reserve(
            user_id=command.user_id,
            event=facts.event,
            seats=tuple(facts.seats[seat_id] for seat_id in command.seat_ids),
            now=facts.now,
            terms=self.terms,
            cause=command.cause,
        )
