"""The sweep comes every minute (FR-14), however long a pass takes."""

import pytest

from booking_memory.store import MemoryStore
from booking_service import worker_jobs
from booking_service.settings import Settings
from booking_workers.maintenance import ExpiryJob
from tests.support.workers import World


def test_the_worker_sweeps_every_60_seconds() -> None:
    parts = World().compose(Settings(event_bus="memory"))

    (sweeper,) = [timed.job for timed in worker_jobs.all_jobs(parts) if isinstance(timed.job, ExpiryJob)]

    assert sweeper.idle_seconds == 60.0


@pytest.mark.parametrize(("took", "idle"), [(0.0, 60.0), (2.5, 57.5), (60.0, 0.0), (75.0, 0.0)])
def test_what_a_pass_took_is_not_waited_again(monkeypatch: pytest.MonkeyPatch, took: float, idle: float) -> None:
    sweeper = ExpiryJob(MemoryStore())
    monkeypatch.setattr("booking_workers.maintenance.monotonic", iter([100.0, 100.0 + took]).__next__)

    assert sweeper.run_once() is False, "what others hold locked is left for the next pass"
    assert sweeper.idle_seconds == idle
