"""Many callers at the same moment."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from booking_core.domain.errors import BookingError

T = TypeVar("T")
_PATIENCE_SECONDS = 60.0


def at_once(jobs: Sequence[Callable[[], T]]) -> list[T | BookingError]:
    """Run every job in a thread of its own, all starting together; what each returned, or the typed error it raised.

    Any other error is raised here: it is a fault, whoever meets it.
    """
    start = Barrier(len(jobs), timeout=_PATIENCE_SECONDS)

    def run(job: Callable[[], T]) -> T:
        start.wait()
        return job()

    with ThreadPoolExecutor(max_workers=len(jobs)) as pool:
        futures = [pool.submit(run, job) for job in jobs]
        outcomes: list[T | BookingError] = []
        for future in futures:
            try:
                outcomes.append(future.result(timeout=_PATIENCE_SECONDS))
            except BookingError as error:
                outcomes.append(error)
        return outcomes
