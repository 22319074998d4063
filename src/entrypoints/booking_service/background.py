"""Work that nobody waits for, in one thread."""

import logging
import queue
import threading
from collections.abc import Callable
from typing import Final

_log = logging.getLogger(__name__)

_STOP: Final = object()


class Background:
    """Runs jobs one after the other in a thread of its own, which starts with the first job.

    At most `limit` jobs wait. One more is run at once, in the thread of the caller: the promise that every job given
    is run holds until `close`, which lets the running one end (bounded) and forgets the rest.
    """

    def __init__(self, name: str, *, limit: int = 1000) -> None:
        self._name = name
        self._jobs: queue.Queue[Callable[[], None] | object] = queue.Queue(limit)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False

    def __call__(self, job: Callable[[], None]) -> None:
        """Run `job` later. After `close` it is forgotten."""
        with self._lock:
            if self._closed:
                return
            if self._thread is None:
                # A daemon: the end of the process waits for `close`, and for nothing longer.
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            self._do(job)

    def close(self, timeout: float = 5.0) -> None:
        """Wait up to `timeout` seconds for the running job. May be called twice."""
        with self._lock:
            self._closed, thread = True, self._thread
        if thread is None or not thread.is_alive():
            return
        self._forget()
        self._jobs.put(_STOP)
        thread.join(timeout)
        if thread.is_alive():
            _log.warning("background.still_running name=%s after %.0f s", self._name, timeout)

    def _forget(self) -> None:
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
            self._do(job)

    def _do(self, job: object) -> None:
        try:
            assert callable(job)  # noqa: S101 - the only other thing in the queue is _STOP
            job()
        except Exception:
            # One refresh that fails in an unforeseen way must not end all later ones.
            _log.exception("background.job_failed name=%s", self._name)
