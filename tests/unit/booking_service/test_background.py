"""The background thread: order, survival of a failed job, a bounded queue, and the wait at the end."""

import threading

import pytest

from booking_service.background import Background


def test_background_work_runs_in_order_and_survives_a_bug(caplog: pytest.LogCaptureFixture) -> None:
    done: list[int] = []
    finished = threading.Event()
    later = Background("test")

    later(lambda: done.append(1))
    later(lambda: done.append(1 // 0))
    later(lambda: done.append(threading.get_ident()))
    later(finished.set)

    assert finished.wait(5)
    assert done[0] == 1
    assert done[1] != threading.get_ident()
    assert "background.job_failed" in caplog.text
    later.close()
    later(lambda: done.append(3))
    assert len(done) == 2


def test_background_work_is_bounded_and_close_waits_for_the_running_job() -> None:
    started, go = threading.Event(), threading.Event()
    done: list[str] = []
    later = Background("test", limit=1)

    def first() -> None:
        started.set()
        go.wait(5)
        done.append("first")

    later(first)
    assert started.wait(5)
    later(lambda: done.append("waiting"))
    later(lambda: done.append("too many: at once"))
    assert done == ["too many: at once"]

    closing = threading.Thread(target=later.close)
    closing.start()
    go.set()
    closing.join(5)
    assert done[:2] == ["too many: at once", "first"]
