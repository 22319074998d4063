"""The catalog cache: events and seats of the Catalog in our database, so that reserving needs no HTTP call.

An unknown event is fetched while the caller waits. An event older than 60 s is refreshed in the background. An event
older than an hour is refreshed before it is sold (design, section 7).
"""

import logging
from collections.abc import Callable, Collection, Sequence
from functools import partial
from uuid import UUID

from attrs import define, evolve, field

from booking_core.application.expiring_set import ExpiringSet
from booking_core.application.retries import in_unit_of_work
from booking_core.application.system_runtime import SYSTEM_RUNTIME
from booking_core.domain.errors import Failure, ServiceBusy
from booking_core.domain.policies import missing_seats
from booking_core.domain.reservation import ReservationFacts, SeatRequest
from booking_core.domain.values import SaleStatus, Seat, TicketedEvent
from booking_core.ports.catalog import Catalog
from booking_core.ports.reads import KnownEvent
from booking_core.ports.runtime import Lock, Runtime
from booking_core.ports.store import Store
from booking_core.ports.unit_of_work import UnitOfWork

_log = logging.getLogger(__name__)


def run_at_once(job: Callable[[], None]) -> None:
    """Run a refresh now, in this thread."""
    job()


@define(eq=False)
class CatalogCache:
    """The database's copy of the Catalog, kept fresh. Safe to use from many threads.

    `store` commits by itself, never in a caller's transaction, because other transactions must see the rows at once.
    `catalog` is None without a Catalog Service: then only loaded events are known, and they do not age. `later` runs a
    refresh in the background.
    """

    store: Store
    catalog: Catalog | None = None
    later: Callable[[Callable[[], None]], None] = run_at_once
    runtime: Runtime = SYSTEM_RUNTIME
    fresh_seconds: float = 60.0
    saleable_seconds: float = 3600.0
    unknown_seconds: float = 60.0
    rows_per_transaction: int = 500  # short transactions: reservations of the event go on in between
    lock_timeout_seconds: float = 10.0
    attempts: int = 3  # of a refresh that another process has overtaken
    _unknown: ExpiringSet = field(init=False)
    _refreshing: set[UUID] = field(factory=set, init=False)
    _locks: list[Lock] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._unknown = ExpiringSet(seconds=self.unknown_seconds, limit=100_000, runtime=self.runtime)
        self._locks = [self.runtime.lock() for _ in range(64)]

    # -- for a reservation ---------------------------------------------------------------------------------------------

    def needs_fetch(self, request: SeatRequest, facts: ReservationFacts) -> bool:
        """True if the Catalog has facts that decide this reservation and are not cached."""
        if self.catalog is None:
            return False
        if facts.event is None:
            return request.event_id not in self._unknown
        if facts.refreshed_at is None:
            return False
        too_old = not self._is_saleable((facts.now - facts.refreshed_at).total_seconds())
        return too_old or any((request.event_id, seat_id) not in self._unknown for seat_id in missing_seats(facts))

    def is_stale(self, facts: ReservationFacts) -> bool:
        """True if the event should be refreshed in the background."""
        if self.catalog is None or facts.refreshed_at is None:
            return False
        return not self._is_fresh((facts.now - facts.refreshed_at).total_seconds())

    def ensure_loaded(self, event_id: UUID, seat_ids: Collection[UUID] = ()) -> None:
        """Fetch what is not known yet while the caller waits, one fetch at a time per event.

        Afterwards the database knows the event and those seats, or their absence is cached for 60 s. Raises
        CatalogUnavailable, or ServiceBusy if another fetch of the event takes longer than the lock timeout.
        """
        if self.catalog is None:
            return
        lock = self._locks[event_id.int % len(self._locks)]
        if not lock.acquire(timeout=self.lock_timeout_seconds):
            raise ServiceBusy()
        try:
            known = self.store.reads.event(event_id)
            if known is None:
                if event_id not in self._unknown:
                    self.refresh(event_id)
            elif self._must_refresh(known):
                self.refresh(event_id)
            elif missing := [seat_id for seat_id in seat_ids if (event_id, seat_id) not in self._unknown]:
                self._fetch_seats(known.event, missing)
        finally:
            lock.release()

    def is_fresh(self, known: KnownEvent) -> bool:
        """True if the event needs no refresh; an event that was loaded from a file never does."""
        return known.age_seconds is None or self._is_fresh(known.age_seconds)

    def _is_fresh(self, age_seconds: float) -> bool:
        # A negative age (the clock was set back) counts as stale.
        return 0 <= age_seconds <= self.fresh_seconds

    def _is_saleable(self, age_seconds: float) -> bool:
        return abs(age_seconds) <= self.saleable_seconds

    def _must_refresh(self, known: KnownEvent) -> bool:
        if known.age_seconds is None:
            return False
        return not known.complete or not self._is_saleable(known.age_seconds)

    # -- refreshing ----------------------------------------------------------------------------------------------------

    def refresh_later(self, event_id: UUID) -> None:
        """Refresh the event in the background, unless a refresh is under way; a failure is logged."""
        if self.catalog is None or event_id in self._refreshing:
            return
        self._refreshing.add(event_id)
        self.later(lambda: self._refresh_if_stale(event_id))

    def refresh(self, event_id: UUID) -> int:
        """Fetch the event and all its seats, write what changed in small transactions, and return the number of seats.

        An event that the Catalog no longer has is withdrawn from sale; the absence of an unknown one is cached.
        The refresh starts again if another process changes the event's currency meanwhile. Raises CatalogUnavailable,
        ServiceBusy.
        """
        for _ in range(self.attempts):
            try:
                return self._refresh(event_id)
            except _Overtaken:
                _log.info("catalog.refresh_overtaken event_id=%s", event_id)
        raise ServiceBusy()

    def _refresh(self, event_id: UUID) -> int:
        if self.catalog is None:
            return 0
        known = self.store.reads.event(event_id)
        event = self.catalog.event(event_id)
        seats = None if event is None else self.catalog.seats(event)
        if event is None or seats is None:
            self._unknown.add(event_id)
            if known is not None and known.age_seconds is not None:
                _log.warning("catalog.event_gone event_id=%s: it is not sold any more", event_id)
                self._put(evolve(known.event, status=SaleStatus.DRAFT), known.event)
            return 0
        before = None if known is None else known.event
        if known is not None and (known.event.currency != event.currency or not _is_on_sale(known)):
            # Between the event's new currency and its seats' new prices nothing may be sold. An event that is not on
            # sale may be in that state already, after a refresh that was killed.
            halfway = evolve(event, status=SaleStatus.DRAFT)
            self._put(halfway, before)
            self._write_seats(halfway, seats)
            self._put(event, halfway)
        else:
            self._put(event, before)
            self._write_seats(event, seats)
        if known is None or not known.complete:
            self._put(event, event, complete=True)
        self._unknown.discard(event_id)
        return len(seats)

    def _refresh_if_stale(self, event_id: UUID) -> None:
        try:
            # One refresh at a time per event and process: two that overlap could mix two answers of the Catalog.
            with self._locks[event_id.int % len(self._locks)]:
                known = self.store.reads.event(event_id)
                if known is None or known.age_seconds is None or not self._is_fresh(known.age_seconds):
                    self.refresh(event_id)
        except Failure as error:
            _log.warning("catalog.refresh_failed event_id=%s code=%s: %s", event_id, error.code, error)
        finally:
            self._refreshing.discard(event_id)

    def _fetch_seats(self, event: TicketedEvent, missing: Sequence[UUID]) -> None:
        assert self.catalog is not None  # noqa: S101 - narrowed by the caller
        found = self.catalog.seats(event, missing) or ()
        try:
            self._write(partial(_put_seats, event, found))
        except _Overtaken:
            self.refresh(event.event_id)
        for seat_id in set(missing) - {seat.seat_id for seat in found}:
            self._unknown.add((event.event_id, seat_id))

    def _put(self, event: TicketedEvent, before: TicketedEvent | None, *, complete: bool = False) -> None:
        def put(uow: UnitOfWork) -> None:
            if not uow.events.put_if_unchanged(event, before, ages=True, complete=complete):
                raise _Overtaken

        self._write(put)

    def _write_seats(self, event: TicketedEvent, seats: Sequence[Seat]) -> None:
        ordered = sorted(seats, key=lambda seat: seat.seat_id)
        for start in range(0, len(ordered), self.rows_per_transaction):
            chunk = ordered[start : start + self.rows_per_transaction]
            self._write(partial(_put_seats, event, chunk))
        withdrawn: list[int] = []

        def withdraw(uow: UnitOfWork) -> None:
            withdrawn.append(uow.events.withdraw_seats(event.event_id, [seat.seat_id for seat in ordered]))
            _check_not_overtaken(event, uow)

        self._write(withdraw)
        if withdrawn[-1]:
            _log.warning(
                "catalog.seats_missing event_id=%s: %d seats are not sold any more", event.event_id, withdrawn[-1]
            )

    def _write(self, write: Callable[[UnitOfWork], object]) -> None:
        def work(uow: UnitOfWork) -> None:
            write(uow)
            uow.commit()

        in_unit_of_work(self.store, work, runtime=self.runtime)


class _Overtaken(Exception):
    """Another refresh has changed the event's currency or status, or has inserted the event first."""


def _put_seats(event: TicketedEvent, seats: Sequence[Seat], uow: UnitOfWork) -> None:
    uow.events.put_seats(event.event_id, seats)
    _check_not_overtaken(event, uow)


def _check_not_overtaken(event: TicketedEvent, uow: UnitOfWork) -> None:
    """Raise `_Overtaken` if the stored event has another currency or status: the prices would be of another currency.

    The event is locked after its seats, as the order of locks demands, and cannot change before the commit.
    """
    stored = uow.events.lock(event.event_id)
    if stored is None or (stored.currency, stored.status) != (event.currency, event.status):
        raise _Overtaken


def _is_on_sale(known: KnownEvent) -> bool:
    return known.event.status is SaleStatus.ON_SALE
