"""Loops: they go on after trouble, and end at once when told. Logs: one line each, no secrets."""

import json
import logging
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from booking_core.domain.errors import BusUnavailable
from booking_telemetry import logs
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


@pytest.mark.parametrize("trouble", [down, bug])
def test_trouble_is_logged_once_and_outlived(trouble: Callable[[], bool], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("booking_workers.jobs._BUG_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr("booking_workers.jobs.LONGEST_PAUSE_SECONDS", 0.001)
    stop = threading.Event()
    work = Work(trouble, trouble, ending(stop))

    with capture_logs() as lines:
        keep_running(work, stop)

    assert work.passes == 3
    events = [line["event"] for line in lines]
    assert events == (["work.waiting", "work.goes_on"] if trouble is down else ["work.failed", "work.failed"])


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
        event = signals.event()
        assert signals.should_continue()
        signal.raise_signal(signal.SIGTERM)
        signals.wait()
        assert not signals.should_continue()
        assert event.wait(5)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.usefixtures("logs_as_before")
@pytest.mark.parametrize("form", ["json", "console"])
def test_a_record_is_one_line_without_secrets(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO", form, ["hunter22"])
    log: Any = structlog.get_logger("ours")

    log.info("a.b", token="abc", deep={"password": "def", "list": ["hunter22"]}, text="one\ntwo \x1b[31m")
    logging.getLogger("theirs").warning("at %s\r\nhunter22", "postgresql://u:ghi@db/x")
    log.debug("not shown")
    try:
        raise ValueError("hunter22\nmore")
    except ValueError:
        log.exception("failed")

    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 3
    assert all(secret not in err for secret in ("hunter22", "abc", "def", "ghi", "\x1b[31m"))
    assert "Traceback" in err


@pytest.mark.usefixtures("logs_as_before")
def test_a_json_record_says_who_when_and_how_bad(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO", "json")

    logging.getLogger("theirs").error("it is %d", 7)

    record = json.loads(capsys.readouterr().err)
    assert (record["event"], record["level"], record["logger"]) == ("it is 7", "error", "theirs")
    assert record["timestamp"].endswith("Z")


@pytest.mark.usefixtures("logs_as_before")
def test_the_level_holds_for_everybody(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("ERROR", "json")

    logging.getLogger("theirs").warning("no")
    structlog.get_logger("ours").warning("no")

    assert capsys.readouterr().err == ""
