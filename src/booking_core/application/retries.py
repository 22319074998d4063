"""Run a use case in one unit of work, and repeat both after a conflict."""

from collections.abc import Callable
from typing import Final, TypeVar

from booking_core.application.system_runtime import SYSTEM_RUNTIME
from booking_core.domain.errors import CommitOutcomeUnknown, TransactionConflict
from booking_core.ports.runtime import Runtime
from booking_core.ports.store import Store
from booking_core.ports.unit_of_work import UnitOfWork

T = TypeVar("T")
_BACKOFF_SECONDS: Final = 0.01  # doubled with each attempt, with full jitter


def in_unit_of_work(
    store: Store, work: Callable[[UnitOfWork], T], *, repeatable: bool = True, runtime: Runtime = SYSTEM_RUNTIME
) -> T:
    """Return the result of `work`, which commits its unit of work itself.

    After TransactionConflict, `work` is run again in a new unit of work, with jitter, at most `store.retries` times.
    `repeatable`: running `work` twice has the same effect as once, so it is also run again after a commit whose reply
    was lost. Every other error, above all a refused seat, is raised at once.
    """
    attempt = 0
    while True:
        try:
            with store.unit_of_work() as uow:
                return work(uow)
        except (TransactionConflict, CommitOutcomeUnknown) as error:
            attempt += 1
            if attempt > store.retries or (isinstance(error, CommitOutcomeUnknown) and not repeatable):
                raise
        runtime.sleep(backoff_seconds(attempt, runtime))


def backoff_seconds(attempt: int, runtime: Runtime) -> float:
    """Seconds to wait before a unit of work runs again, after so many attempts: random, so that rivals do not meet."""
    return runtime.uniform(0, _BACKOFF_SECONDS * 2**attempt)
