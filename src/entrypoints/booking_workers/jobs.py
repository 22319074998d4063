"""The job loop: passes of a job in a thread, with growing pauses during an outage, until a stop is requested."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol

from booking_core.application.system_runtime import SYSTEM_RUNTIME
from booking_core.domain.errors import Failure
from booking_core.ports.runtime import Flag, Runtime, Thread
from booking_telemetry.logs import get_logger
from booking_workers.stop_signals import SIGNAL_CHECK_SECONDS

_log = get_logger(__name__)

_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 5.0
# The next pass may not meet the bug again, but a retry must not become a busy loop.
_BUG_PAUSE_SECONDS: Final = 5.0
_OUTAGE_LOG_SECONDS: Final = 60.0

ShouldContinue = Callable[[], bool]
OnStart = Callable[[Sequence[Thread]], None]


def always() -> bool:
    """Never request a stop."""
    return True


class Job(Protocol):
    """Repeated work. Used by one thread.

    `name` is the prefix of the job's log events; `idle_seconds` is the wait after a pass that left nothing to do.
    """

    @property
    def name(self) -> str: ...
    @property
    def idle_seconds(self) -> float: ...

    def run_once(self, should_continue: ShouldContinue = always) -> bool:
        """Run one pass; True if there may be more to do at once.

        The job calls `should_continue` between two units of work; after a False the pass ends early, with nothing half
        done. Raises Failure if a resource is busy or down: nothing is lost, and a later pass retries.
        """
        ...

    def close(self) -> None:
        """Release what the job itself has opened. May be called twice."""
        ...


class WithoutResources:
    """A base for jobs that open nothing."""

    def close(self) -> None:
        """Do nothing."""


def keep_running(job: Job, stop: Flag, runtime: Runtime = SYSTEM_RUNTIME) -> None:
    """Run passes until `stop` is set; then return when the current unit of work is finished.

    After a Failure the loop waits with growing, jittered pauses (0.1 s to 5 s). It logs the first failure, a reminder
    once a minute, and the recovery. Any other exception is logged with its traceback, and the job is retried after 5 s.
    """
    outage = _Outage(job.name, runtime)
    try:
        while not stop.is_set():
            pause = _pass(job, stop, outage)
            if pause:
                stop.wait(pause)
    finally:
        job.close()


def run_together(
    jobs: Sequence[Job],
    stop: Flag,
    *,
    stop_timeout: float = 30.0,
    on_start: OnStart | None = None,
    runtime: Runtime = SYSTEM_RUNTIME,
) -> bool:
    """Run each job in a thread of its own until `stop` is set and all of them have ended.

    False if a job has not ended `stop_timeout` seconds after the stop: its thread is abandoned, and the process should
    exit. `on_start` receives the started threads, which carry the names of their jobs.
    """
    threads = [runtime.start_thread(partial(keep_running, job, stop, runtime), job.name) for job in jobs]
    if on_start is not None:
        on_start(threads)
    while not stop.wait(SIGNAL_CHECK_SECONDS):  # not one long wait, for this may be the main thread
        pass
    deadline = runtime.monotonic() + stop_timeout
    for thread in threads:
        thread.join(max(0.0, deadline - runtime.monotonic()))
    stuck = [thread.name for thread in threads if thread.is_alive()]
    if stuck:
        _log.error("worker.stuck", jobs=stuck, seconds=stop_timeout)
    return not stuck


def _pass(job: Job, stop: Flag, outage: "_Outage") -> float:
    """Run one pass; return the seconds to wait before the next."""
    try:
        more = job.run_once(lambda: not stop.is_set())
    except Failure as error:
        return outage.failed(error)
    except Exception:
        _log.exception(f"{job.name}.failed")
        return _BUG_PAUSE_SECONDS
    outage.ended()
    return 0.0 if more else job.idle_seconds


class _Outage:
    """Failed passes in a row of one job: how long to wait, and when to log."""

    def __init__(self, name: str, runtime: Runtime) -> None:
        self._name, self._runtime = name, runtime
        self._passes = 0
        self._since = self._logged_at = 0.0

    def failed(self, error: Failure) -> float:
        now = self._runtime.monotonic()
        if self._passes == 0:
            self._since = now
        if self._passes == 0 or now - self._logged_at >= _OUTAGE_LOG_SECONDS:
            self._logged_at = now
            _log.warning(f"{self._name}.waiting", code=error.code, error=str(error), seconds=round(now - self._since))
        self._passes += 1
        longest = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2 ** min(self._passes, 16))
        return self._runtime.uniform(longest / 2, longest)

    def ended(self) -> None:
        if self._passes:
            _log.info(f"{self._name}.goes_on", seconds=round(self._runtime.monotonic() - self._since, 1))
        self._passes = 0


class InstrumentedJob:
    """A job that counts and times its passes. Run by one thread, read by any.

    `done` and `failed` count passes; `seconds` is their total time; `last_done` is the time (in seconds since 1970) at
    which a pass last ended without an error, 0 before the first.
    """

    def __init__(self, job: Job, runtime: Runtime = SYSTEM_RUNTIME) -> None:
        self.job, self._runtime = job, runtime
        self.done = self.failed = 0
        self.seconds = self.last_done = 0.0

    @property
    def name(self) -> str:
        return self.job.name

    @property
    def idle_seconds(self) -> float:
        return self.job.idle_seconds

    def run_once(self, should_continue: ShouldContinue = always) -> bool:
        """Run one pass of the job. Raises what the job raises."""
        began = self._runtime.monotonic()
        try:
            more = self.job.run_once(should_continue)
        except BaseException:
            self.failed += 1
            raise
        finally:
            self.seconds += self._runtime.monotonic() - began
        self.done += 1
        self.last_done = self._runtime.utc_now().timestamp()
        return more

    def close(self) -> None:
        self.job.close()
