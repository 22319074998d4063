"""A job with a clock beside it: how many passes, how long, and when the last one ended well."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import structlog

from booking_core.domain.errors import Failure
from booking_workers.stopping import LOOK_UP_SECONDS

_log = structlog.get_logger(__name__)

FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 5.0
# A pass that meets a bug of ours is tried again as well, for the next one may not; but never in a hot loop.
_BUG_PAUSE_SECONDS: Final = 5.0
_STILL_DOWN_EVERY_SECONDS: Final = 60.0

ShouldContinue = Callable[[], bool]


def always() -> bool:
    """Never told to stop."""
    return True


class Job(Protocol):
    """Work that comes back. Used by one thread.

    `name` begins its log lines; `idle_seconds` is how long to wait after a pass that found nothing more to do.
    """

    @property
    def name(self) -> str: ...
    @property
    def idle_seconds(self) -> float: ...

    def run_once(self, should_continue: ShouldContinue = always) -> bool:
        """One pass; True if there may be more to do at once.

        `should_continue` is asked between two units of work: after a False the pass ends early, with nothing half done.
        Raises Failure when something it needs is busy or down: nothing is lost, and the next pass does it.
        """
        ...

    def close(self) -> None:
        """Let go of what the job itself has opened. May be called twice."""
        ...


def keep_running(job: Job, stop: threading.Event) -> None:
    """Run passes until `stop` is set; then return as soon as the unit of work in hand is done.

    A Failure is waited out with growing, jittered pauses (0.1 s to 5 s), logged when it begins, once a minute while it
    lasts, and when it is over. Anything else that a pass raises is logged whole, and tried again after 5 s.
    """
    trouble = _Trouble(job.name)
    try:
        while not stop.is_set():
            pause = _pass(job, stop, trouble)
            if pause:
                stop.wait(pause)
    finally:
        job.close()


def unwatched(threads: Sequence[threading.Thread]) -> None:
    """Nobody looks after the threads."""


def run_together(
    jobs: Sequence[Job],
    stop: threading.Event,
    *,
    patience: float = 30.0,
    watch: Callable[[Sequence[threading.Thread]], None] = unwatched,
) -> bool:
    """Run each job in a thread of its own until `stop` is set and they have ended.

    False if one of them has not ended `patience` seconds after the stop: it is left behind, and the process should end.
    `watch` is given the threads, named for their jobs, as soon as they run.
    """
    threads = [threading.Thread(target=keep_running, args=(job, stop), name=job.name, daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    watch(threads)
    while not stop.wait(LOOK_UP_SECONDS):  # not one long wait, for this may be the main thread
        pass
    give_up_at = time.monotonic() + patience
    for thread in threads:
        thread.join(max(0.0, give_up_at - time.monotonic()))
    stuck = [thread.name for thread in threads if thread.is_alive()]
    if stuck:
        _log.error("worker.stuck", jobs=stuck, seconds=patience)
    return not stuck


def _pass(job: Job, stop: threading.Event, trouble: "_Trouble") -> float:
    """One pass; how long to wait until the next."""
    try:
        more = job.run_once(lambda: not stop.is_set())
    except Failure as error:
        return trouble.met(error)
    except Exception:
        _log.exception(f"{job.name}.failed")
        return _BUG_PAUSE_SECONDS
    trouble.is_over()
    return 0.0 if more else job.idle_seconds


class _Trouble:
    """An outage as one job sees it: what to wait, and what to say."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._passes = 0
        self._since = self._said = 0.0

    def met(self, error: Failure) -> float:
        now = time.monotonic()
        if self._passes == 0:
            self._since = now
        if self._passes == 0 or now - self._said >= _STILL_DOWN_EVERY_SECONDS:
            self._said = now
            _log.warning(f"{self._name}.waiting", code=error.code, error=str(error), seconds=round(now - self._since))
        self._passes += 1
        longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(self._passes, 16))
        return random.uniform(longest / 2, longest)  # noqa: S311 - jitter, not a secret

    def is_over(self) -> None:
        if self._passes:
            _log.info(f"{self._name}.goes_on", seconds=round(time.monotonic() - self._since, 1))
        self._passes = 0


class InstrumentedJob:
    """The job itself to whoever runs it, and its figures to whoever watches. Used by one thread, read by any.

    `done` and `failed` count passes; `seconds` is the time of all of them; `last_done` is when (in seconds since 1970)
    one last ended without an error, 0 before the first.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.done = self.failed = 0
        self.seconds = self.last_done = 0.0

    @property
    def name(self) -> str:
        return self.job.name

    @property
    def idle_seconds(self) -> float:
        return self.job.idle_seconds

    def run_once(self, should_continue: ShouldContinue = always) -> bool:
        """A pass of the job. Raises what it raises."""
        began = time.monotonic()
        try:
            more = self.job.run_once(should_continue)
        except BaseException:
            self.failed += 1
            raise
        finally:
            self.seconds += time.monotonic() - began
        self.done += 1
        self.last_done = time.time()
        return more

    def close(self) -> None:
        self.job.close()
