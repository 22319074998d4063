"""The jobs that the commands run, made from settings."""

from booking_service import worker_jobs
from booking_service.settings import Settings
from tests.support.workers import World


def test_the_worker_does_everything() -> None:
    parts = World().compose(Settings(event_bus="memory"))

    assert [job.name for job in worker_jobs.all_jobs(parts)] == [
        "relay",
        "consumer",
        "expire",
        "closure",
        "prune",
        "refunds",
    ]
