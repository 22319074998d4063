"""Expire overdue holds (US-04). A hold is over at its deadline, even before this writes it (ADR 0004)."""

from collections.abc import Callable
from typing import Final

from booking_core.application.retries import in_unit_of_work
from booking_core.application.system_runtime import SYSTEM_RUNTIME
from booking_core.ports.bookings import ExpiryResult
from booking_core.ports.runtime import Runtime
from booking_core.ports.store import Store
from booking_core.ports.unit_of_work import UnitOfWork

_CHUNK: Final = 500  # bookings in one transaction: the row locks of a pass stay short


def expire(
    *,
    store: Store,
    chunk: int = _CHUNK,
    should_continue: Callable[[], bool] = lambda: True,
    runtime: Runtime = SYSTEM_RUNTIME,
) -> ExpiryResult:
    """Expire every overdue hold that is not locked, in transactions of `chunk` bookings.

    Safe to run many times at once, and to stop anywhere; `should_continue` is called between two transactions.
    """

    def work(uow: UnitOfWork) -> ExpiryResult:
        ended = uow.bookings.expire_overdue(chunk)
        uow.commit()
        return ended

    expired = seats = 0
    while should_continue():
        ended = in_unit_of_work(store, work, runtime=runtime)
        expired, seats = expired + ended.expired, seats + ended.seats_released
        if ended.expired == 0:
            break
    return ExpiryResult(expired=expired, seats_released=seats)
