"""A background thread for jobs whose result no caller waits for."""

import logging
import queue
import threading
from collections.abc import Callable
from typing import Final

_log = logging.getLogger(__name__)

_STOP: Final = object()


class Background:
    """Thread that runs jobs one after the other; it starts with the first job.

    At most `limit` jobs wait in the queue. If it is full, the caller runs the job itself: until `close` no job is lost.
    """

    def __init__(self, name: str, *, limit: int = 1000) -> None:
        self._name = name
        self._jobs: queue.Queue[Callable[[], None] | object] = queue.Queue(limit)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False

    def __call__(self, job: Callable[[], None]) -> None:
        """Run `job` later. After `close` the job is discarded."""
        with self._lock:
            if self._closed:
                return
            if self._thread is None:
                # A daemon: the process ends without waiting for this thread longer than `close` does.
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            self._execute(job)

    def close(self, timeout: float = 5.0) -> None:
        """Discard the jobs in the queue and wait up to `timeout` seconds for the running one. Idempotent."""
        with self._lock:
            self._closed, thread = True, self._thread
        if thread is None or not thread.is_alive():
            return
        self._discard()
        self._jobs.put(_STOP)
        thread.join(timeout)
        if thread.is_alive():
            _log.warning("background.still_running name=%s after %.0f s", self._name, timeout)

    def _discard(self) -> None:
        while True:
            try:
                self._jobs.get_nowait()
            except queue.Empty:
                return

    def _run(self) -> None:
        while not self._closed:
            job = self._jobs.get()
            if job is _STOP:
                return
            self._execute(job)

    def _execute(self, job: object) -> None:
        try:
            assert callable(job)  # noqa: S101 - the only other thing in the queue is _STOP
            job()
        except Exception:
            # A job that fails must not end the thread, on which all later jobs depend.
            _log.exception("background.job_failed name=%s", self._name)
