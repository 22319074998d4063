"""End the holds whose time has come (US-04). Only tidying: a hold is over at its deadline, swept or not (ADR 0004)."""

from collections.abc import Callable
from typing import Final

from booking_core.application.retries import in_unit_of_work
from booking_core.application.system_runtime import SYSTEM_RUNTIME
from booking_core.ports.runtime import Runtime
from booking_core.ports.store import Store
from booking_core.ports.unit_of_work import ExpiryResult, UnitOfWork

_CHUNK: Final = 500


def expire(
    *,
    store: Store,
    chunk: int = _CHUNK,
    should_continue: Callable[[], bool] = lambda: True,
    runtime: Runtime = SYSTEM_RUNTIME,
) -> ExpiryResult:
    """One pass: every overdue hold that nobody else has locked, in transactions of `chunk` bookings.

    Safe to run many times at once, and to stop anywhere; `should_continue` is asked between two transactions.
    """

    def work(uow: UnitOfWork) -> ExpiryResult:
        swept = uow.bookings.expire_overdue(chunk)
        uow.commit()
        return swept

    expired = seats = 0
    while should_continue():
        swept = in_unit_of_work(store, work, runtime=runtime)
        expired, seats = expired + swept.expired, seats + swept.seats_released
        if swept.expired == 0:
            break
    return ExpiryResult(expired=expired, seats_released=seats)
