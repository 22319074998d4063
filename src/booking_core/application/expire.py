"""End the holds whose time has come (US-04). Only tidying: a hold is over at its deadline, swept or not (ADR 0004)."""

from collections.abc import Callable
from typing import Final

from booking_core.application.retries import in_unit_of_work
from booking_core.ports.store import Store, UnitOfWork
from booking_core.ports.unit_of_work import Sweep

_CHUNK: Final = 500


def expire(*, store: Store, chunk: int = _CHUNK, go_on: Callable[[], bool] = lambda: True) -> Sweep:
    """One pass: every overdue hold that nobody else has locked, in transactions of `chunk` bookings.

    Safe to run many times at once, and to stop anywhere; `go_on` is asked between two transactions.
    """

    def work(uow: UnitOfWork) -> Sweep:
        swept = uow.bookings.expire_overdue(chunk)
        uow.commit()
        return swept

    expired = seats = 0
    while go_on():
        swept = in_unit_of_work(store, work)
        expired, seats = expired + swept.expired, seats + swept.seats_released
        if swept.expired == 0:
            break
    return Sweep(expired=expired, seats_released=seats)
