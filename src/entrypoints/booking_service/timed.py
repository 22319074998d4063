"""A job with a clock beside it: how many passes, how long, and when the last one ended well."""

import time

from booking_service.running import GoOn, Job, always


class Timed:
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

    def run_once(self, go_on: GoOn = always) -> bool:
        """A pass of the job. Raises what it raises."""
        began = time.monotonic()
        try:
            more = self.job.run_once(go_on)
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
