"""Running a use case: one unit of work, and the whole of it again when the database gave it up."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from booking_core.domain.errors import CommitOutcomeUnknown, TransactionConflict
from booking_core.ports import Store, UnitOfWork

T = TypeVar("T")
_BACKOFF_SECONDS = 0.01


def in_unit_of_work(store: Store, work: Callable[[UnitOfWork], T], *, repeatable: bool = True) -> T:
    """What `work` returns; it commits its unit of work itself.

    After TransactionConflict the whole is run again in a new unit of work, with jitter, at most `store.retries` times.
    `repeatable`: doing it twice is the same as doing it once, so a commit whose reply was lost is run again as well.
    Every other error, a refused seat above all, ends it at once.
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
        time.sleep(random.uniform(0, _BACKOFF_SECONDS * 2**attempt))  # noqa: S311 - jitter, not a secret
