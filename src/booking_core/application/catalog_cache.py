"""The mirror: events and seats of the Catalog as our database keeps them, so that reserving needs no HTTP call.

What was never seen is fetched while the customer waits; what is older than 60 s is refreshed behind the customer's
back; what is older than an hour is not sold before it was refreshed (design, section 7).
"""

import logging
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from functools import partial
from typing import Final
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

FRESH_FOR: Final = timedelta(seconds=60)
SALEABLE_FOR: Final = timedelta(hours=1)
_ATTEMPTS: Final = 3

_log = logging.getLogger(__name__)


def run_at_once(job: Callable[[], None]) -> None:
    """The plainest way to run a refresh: now, in this thread."""
    job()


@define(eq=False)
class CatalogCache:
    """Keeps the database's copy of the Catalog as fresh as the rules ask. Safe to use from many threads.

    `store` is one of its own, never a caller's transaction, for others must see the rows at once. `catalog` is None
    where there is no Catalog Service: what was loaded is all there is, and it does not age. `later` runs a refresh
    without making the customer wait.
    """

    store: Store
    catalog: Catalog | None = None
    later: Callable[[Callable[[], None]], None] = run_at_once
    runtime: Runtime = SYSTEM_RUNTIME
    rows_per_transaction: int = 500
    lock_timeout_seconds: float = 10.0
    _unknown: ExpiringSet = field(init=False)
    _refreshing: set[UUID] = field(factory=set, init=False)
    _turns: list[Lock] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._unknown = ExpiringSet(seconds=60.0, limit=100_000, runtime=self.runtime)
        self._turns = [self.runtime.lock() for _ in range(64)]

    # -- for a reservation ---------------------------------------------------------------------------------------------

    def needs_fetch(self, request: SeatRequest, facts: ReservationFacts) -> bool:
        """True if the Catalog must be asked before this reservation can be decided."""
        if self.catalog is None:
            return False
        if facts.event is None:
            return request.event_id not in self._unknown
        if facts.refreshed_at is None:
            return False
        too_old = not _is_saleable((facts.now - facts.refreshed_at).total_seconds())
        return too_old or any((request.event_id, seat_id) not in self._unknown for seat_id in missing_seats(facts))

    def is_stale(self, facts: ReservationFacts) -> bool:
        """True if the event should be refreshed behind the customer's back."""
        if self.catalog is None or facts.refreshed_at is None:
            return False
        return not _is_fresh((facts.now - facts.refreshed_at).total_seconds())

    def ensure_loaded(self, event_id: UUID, seat_ids: Collection[UUID] = ()) -> None:
        """Ask the Catalog for what is not known yet, while the caller waits; one at a time per event.

        Afterwards the database knows the event and those seats, or they are remembered for 60 s as not existing.
        Raises CatalogUnavailable, or ServiceBusy when too many wait for the same event.
        """
        if self.catalog is None:
            return
        turn = self._turns[event_id.int % len(self._turns)]
        if not turn.acquire(timeout=self.lock_timeout_seconds):
            raise ServiceBusy()
        try:
            known = self.store.reads.event(event_id)
            if known is None:
                if event_id not in self._unknown:
                    self.refresh(event_id)
            elif _must_refresh(known):
                self.refresh(event_id)
            elif missing := [seat_id for seat_id in seat_ids if (event_id, seat_id) not in self._unknown]:
                self._ask_for_seats(known.event, missing)
        finally:
            turn.release()

    # -- refreshing ----------------------------------------------------------------------------------------------------

    def refresh_later(self, event_id: UUID) -> None:
        """Refresh the event behind the caller's back, unless that is under way; trouble goes to the log."""
        if self.catalog is None or event_id in self._refreshing:
            return
        self._refreshing.add(event_id)
        self.later(lambda: self._refresh_if_stale(event_id))

    def refresh(self, event_id: UUID) -> int:
        """Fetch the event and all its seats, and write what changed, in small transactions; the number of its seats.

        An event that the Catalog no longer has is not sold any more; one it never had is remembered for 60 s.
        Where another process changes the event's currency meanwhile, this begins again with what the Catalog says then.
        Raises CatalogUnavailable, ServiceBusy.
        """
        for _ in range(_ATTEMPTS):
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
        if known is not None and (known.event.currency != event.currency or not _is_sold(known)):
            # Between the event's new currency and its seats' new prices nothing may be sold; and what is not sold may
            # be in the middle of that, left by a refresh that did not end.
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
            # One refresh at a time per event and process: two that overlap could mix what they were told.
            with self._turns[event_id.int % len(self._turns)]:
                known = self.store.reads.event(event_id)
                if known is None or known.age_seconds is None or not _is_fresh(known.age_seconds):
                    self.refresh(event_id)
        except Failure as error:
            _log.warning("catalog.refresh_failed event_id=%s code=%s: %s", event_id, error.code, error)
        finally:
            self._refreshing.discard(event_id)

    def _ask_for_seats(self, event: TicketedEvent, missing: Sequence[UUID]) -> None:
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
            _refuse_if_overtaken(event, uow)

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
    """Another refresh gave the event another currency or status, or another process saw it first."""


def _put_seats(event: TicketedEvent, seats: Sequence[Seat], uow: UnitOfWork) -> None:
    uow.events.put_seats(event.event_id, seats)
    _refuse_if_overtaken(event, uow)


def _refuse_if_overtaken(event: TicketedEvent, uow: UnitOfWork) -> None:
    """Seats are written for the event as it is: else their prices would be taken for another currency's.

    Asked after the seats, as the order of locks wants it; nobody changes the event from here to the commit.
    """
    stands = uow.events.lock(event.event_id)
    if stands is None or (stands.currency, stands.status) != (event.currency, event.status):
        raise _Overtaken


def _is_fresh(age_seconds: float) -> bool:
    """Not below zero either: then the database's clock was set back, and nobody knows how old it is."""
    return 0 <= age_seconds <= FRESH_FOR.total_seconds()


def _is_saleable(age_seconds: float) -> bool:
    return abs(age_seconds) <= SALEABLE_FOR.total_seconds()


def _is_sold(known: KnownEvent) -> bool:
    return known.event.status is SaleStatus.ON_SALE


def _must_refresh(known: KnownEvent) -> bool:
    """It is incomplete, or too old to be sold; what came from a file is neither."""
    if known.age_seconds is None:
        return False
    return not known.complete or not _is_saleable(known.age_seconds)
