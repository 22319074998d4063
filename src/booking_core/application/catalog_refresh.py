"""A refresh: what the Catalog says of an event and its seats, written in small transactions as soon as it is known."""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from uuid import UUID

from attrs import evolve, frozen

from booking_core.application.retries import in_unit_of_work
from booking_core.domain.errors import ServiceBusy
from booking_core.domain.values import SaleStatus, Seat, TicketedEvent
from booking_core.ports.catalog import Catalog, CatalogAnswerInvalid
from booking_core.ports.reads import KnownEvent
from booking_core.ports.runtime import Runtime
from booking_core.ports.store import Store
from booking_core.ports.unit_of_work import UnitOfWork

_log = logging.getLogger(__name__)


@frozen(eq=False)
class CatalogRefresh:
    """Copies events and seats of the Catalog into the store. Safe to use from many threads and processes."""

    store: Store
    catalog: Catalog
    runtime: Runtime
    rows_per_transaction: int
    attempts: int
    answered: Callable[[UUID], None]
    """Called once the store has what the Catalog says of the event itself."""

    def event(self, event_id: UUID) -> int | None:
        """Fetch the event and all its seats, write what changed, and return the number of seats; None: no such event.

        What is known of the event is written before its seats are asked for, and stays if they cannot be read; then the
        event is as old as before. An event that the Catalog no longer has is withdrawn from sale. The refresh starts
        again if another process changes the event's currency meanwhile. Raises CatalogUnavailable, ServiceBusy.
        """
        for _ in range(self.attempts):
            try:
                return self._event(event_id)
            except _Overtaken:
                _log.info("catalog.refresh_overtaken event_id=%s", event_id)
        raise ServiceBusy()

    def seats(self, event: TicketedEvent, missing: Sequence[UUID]) -> set[UUID]:
        """Fetch these seats of a known event, write those that exist, and return the ids of the others."""
        found = self.catalog.seats(event, missing) or ()
        try:
            self._write(partial(_put_seats, event, found))
        except _Overtaken:
            self.event(event.event_id)
        return set(missing) - {seat.seat_id for seat in found}

    def _event(self, event_id: UUID) -> int | None:
        known = self.store.reads.event(event_id)
        event = self._asked(event_id, known)
        if event is None:
            self._withdraw(event_id, known)
            return None
        before = None if known is None else known.event
        # Between the event's new currency and its seats' new prices nothing may be sold. An event that is not on sale
        # may be in that state already, after a refresh that was killed.
        halfway = event
        was_like_it = known is None or (known.event.currency == event.currency and _is_on_sale(known))
        if event.status is SaleStatus.ON_SALE and not was_like_it:
            halfway = evolve(event, status=SaleStatus.DRAFT)
        if halfway != before:
            self._put(halfway, before, refreshed=False)
        self.answered(event_id)
        seats = self.catalog.seats(event)
        if seats is None:
            self._withdraw(event_id, self.store.reads.event(event_id))
            return None
        self._write_seats(halfway, seats)
        self._put(event, halfway, complete=True)
        return len(seats)

    def _asked(self, event_id: UUID, known: KnownEvent | None) -> TicketedEvent | None:
        try:
            return self.catalog.event(event_id)
        except CatalogAnswerInvalid as error:
            # Little can be understood, but that the event is not on sale.
            if error.sale_status is not None and known is not None and _is_on_sale(known):
                _log.warning("catalog.sale_stopped event_id=%s: the status is %s", event_id, error.sale_status.value)
                self._put(evolve(known.event, status=error.sale_status), known.event, refreshed=False)
            raise

    def _withdraw(self, event_id: UUID, known: KnownEvent | None) -> None:
        if known is not None and known.age_seconds is not None:
            _log.warning("catalog.event_gone event_id=%s: it is not sold any more", event_id)
            self._put(evolve(known.event, status=SaleStatus.DRAFT), known.event)

    def _put(
        self, event: TicketedEvent, before: TicketedEvent | None, *, complete: bool = False, refreshed: bool = True
    ) -> None:
        def put(uow: UnitOfWork) -> None:
            if not uow.events.put_if_unchanged(event, before, ages=True, complete=complete, refreshed=refreshed):
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
