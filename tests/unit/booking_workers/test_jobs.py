"""The job loop goes on after failures, and ends at once when it is stopped."""

import signal
import threading
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from booking_core.domain.errors import BusUnavailable
from booking_workers.jobs import ShouldContinue, always, keep_running, run_together
from booking_workers.stop_signals import StopSignals


class Work:
    """Calls one step after the other; the last one for ever."""

    name = "work"

    def __init__(self, *steps: Callable[[], bool], idle_seconds: float = 0.0) -> None:
        self.idle_seconds = idle_seconds
        self.passes = self.closed = 0
        self._steps = steps

    def run_once(self, should_continue: ShouldContinue = always) -> bool:
        self.passes += 1
        return self._steps[min(self.passes, len(self._steps)) - 1]()

    def close(self) -> None:
        self.closed += 1


def down() -> bool:
    raise BusUnavailable()


def bug() -> bool:
    raise KeyError("x")


def ending(stop: threading.Event) -> Callable[[], bool]:
    def end() -> bool:
        stop.set()
        return False

    return end


def test_passes_follow_at_once_while_there_is_more() -> None:
    stop = threading.Event()
    work = Work(lambda: True, lambda: True, ending(stop), idle_seconds=60)

    keep_running(work, stop)

    assert (work.passes, work.closed) == (3, 1)


def test_an_idle_loop_ends_at_once() -> None:
    stop, idle = threading.Event(), threading.Event()
    work = Work(ending(idle), idle_seconds=3600)
    thread = threading.Thread(target=keep_running, args=(work, stop))
    thread.start()
    assert idle.wait(5)

    stop.set()
    thread.join(5)

    assert not thread.is_alive()


class PassingTime(threading.Event):
    """A stop whose waits are over at once; `waits` has their lengths."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0.0)
        return self.is_set()


@pytest.mark.parametrize("trouble", [down, bug])
def test_trouble_is_logged_once_and_outlived(trouble: Callable[[], bool]) -> None:
    stop = PassingTime()
    work = Work(trouble, trouble, ending(stop))

    with capture_logs() as lines:
        keep_running(work, stop)

    assert work.passes == 3
    events = [line["event"] for line in lines]
    assert events == (["work.waiting", "work.goes_on"] if trouble is down else ["work.failed", "work.failed"])


def test_pauses_grow_up_to_5_seconds_and_a_bug_waits_5() -> None:
    stop = PassingTime()
    keep_running(Work(*[down] * 10, bug, ending(stop)), stop)

    for number, pause in enumerate(stop.waits[:10], 1):
        longest = min(5.0, 0.1 * 2**number)
        assert longest / 2 <= pause <= longest
    assert stop.waits[10] == 5.0


def test_jobs_run_side_by_side_until_the_stop() -> None:
    stop, both = threading.Event(), threading.Barrier(2)
    one, other = (Work(lambda: bool(both.wait(5)) and False, lambda: False, idle_seconds=60) for _ in range(2))
    threading.Timer(0.2, stop.set).start()

    assert run_together([one, other], stop)

    assert (one.closed, other.closed) == (1, 1)
    assert not both.broken


def test_a_job_that_does_not_end_is_reported() -> None:
    stop, release = threading.Event(), threading.Event()

    def hang() -> bool:
        stop.set()
        return release.wait(30)

    with capture_logs() as lines:
        ended = run_together([Work(hang)], stop, stop_timeout=0.05)
    release.set()

    assert not ended
    assert [line["event"] for line in lines] == ["worker.stuck"]


def test_the_first_signal_is_a_request_and_the_second_an_order() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with StopSignals() as signals:
        event = signals.flag()
        assert signals.should_continue()
        signal.raise_signal(signal.SIGTERM)
        signals.wait()
        assert not signals.should_continue()
        assert event.wait(5)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) is before
