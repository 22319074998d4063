"""Events of the file catalog into the store: in small transactions, never on sale with half of their facts."""

from collections.abc import Sequence
from typing import Final

from attrs import evolve

from booking_core.ports.store import Store, UnitOfWork
from booking_core.running import in_unit_of_work
from booking_core.values import SaleStatus, Seat, TicketedEvent
from booking_service.catalog_file import LoadedEvent

_ROWS: Final = 500


def load_event(loaded: LoadedEvent, *, store: Store) -> int:
    """Write the event and its seats, which do not age; the number of its seats. Doing it again changes nothing.

    Seats that the store has and the file has not are not sold any more. While the event's currency changes it is not
    on sale, for its seats still have prices of the old one. Raises ServiceBusy.
    """
    event, seats = loaded.event, sorted(loaded.seats, key=lambda seat: seat.seat_id)
    known = store.queries.event(event.event_id)
    whole = known is not None and known.event.currency == event.currency
    _put(event if whole else evolve(event, status=SaleStatus.DRAFT), store, complete=False)
    for start in range(0, len(seats), _ROWS):
        _put_seats(event, seats[start : start + _ROWS], store)

    def finish(uow: UnitOfWork) -> None:
        uow.events.withdraw_seats(event.event_id, [seat.seat_id for seat in seats])
        uow.events.put(event, ages=False, complete=True)
        uow.commit()

    in_unit_of_work(store, finish)
    return len(seats)


def _put(event: TicketedEvent, store: Store, *, complete: bool) -> None:
    def work(uow: UnitOfWork) -> None:
        uow.events.put(event, ages=False, complete=complete)
        uow.commit()

    in_unit_of_work(store, work)


def _put_seats(event: TicketedEvent, seats: Sequence[Seat], store: Store) -> None:
    def work(uow: UnitOfWork) -> None:
        uow.events.put_seats(event.event_id, seats)
        uow.commit()

    in_unit_of_work(store, work)
