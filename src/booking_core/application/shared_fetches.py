"""Fetches from the Catalog, shared by the callers that wait for them, and bounded in number.

A caller that waits holds a thread, which the requests for other events need. So few callers may wait, they wait for one
fetch, and a failure is remembered for seconds: until then it is raised at once.
"""

import logging
from collections import Counter
from collections.abc import Callable, Hashable
from copy import copy
from enum import Enum
from typing import Final

from attrs import Factory, define, field

from booking_core.application.system_runtime import SYSTEM_RUNTIME
from booking_core.domain.errors import BookingError
from booking_core.ports.catalog import CatalogBusy
from booking_core.ports.runtime import Flag, Lock, Runtime

_log = logging.getLogger(__name__)
_MOST_FAILURES: Final = 10_000


class Wait(Enum):
    """What callers wait for. Each kind has bounds of its own, so that made-up ids cannot use those of known events."""

    UNKNOWN = "what is not known"
    KNOWN = "what is known, but not as it is now"


class NotWaited(CatalogBusy):
    """As many callers wait, or as many fetches run, as may: this caller was turned down at once."""


class FetchTooSlow(CatalogBusy):
    """The fetch did not end in the time that the caller had. It goes on."""


@define(eq=False)
class _Fetch:
    """A fetch that runs. `purpose` tells apart the fetches of one key; `error` is valid once `done` is set."""

    purpose: Hashable
    done: Flag
    error: Exception | None = None


@define(eq=False)
class SharedFetches:
    """Runs fetches, one at a time for a key. Safe to use from many threads.

    Of each kind at most `most_running` fetches run in threads of their own, and at most `most_waiting` callers wait.
    Failures are remembered for `failure_seconds`, by purpose.
    """

    most_running: int = 4
    most_waiting: int = 4
    failure_seconds: float = 5.0
    runtime: Runtime = SYSTEM_RUNTIME
    _running: dict[Hashable, _Fetch] = field(factory=dict, init=False)
    _counts: Counter[tuple[str, Wait]] = field(factory=Counter, init=False)
    _failures: dict[Hashable, tuple[float, Exception]] = field(factory=dict, init=False)
    _lock: Lock = field(default=Factory(lambda self: self.runtime.lock(), takes_self=True), init=False)

    def failure_of(self, purpose: Hashable) -> Exception | None:
        """A copy of the failure of the latest fetch for this purpose, if it is remembered."""
        with self._lock:
            return self._failure_of(purpose)

    def wait(
        self, key: Hashable, purpose: Hashable, fetch: Callable[[], object], *, kind: Wait, seconds: float
    ) -> None:
        """Wait for the fetch of this key and purpose, which another caller may have started, at most `seconds`.

        Raises what the fetch raised, now or a moment ago; NotWaited at once; FetchTooSlow in the end. A fetch of the
        key for another purpose ends before this one begins.
        """
        deadline = self.runtime.monotonic() + seconds
        while True:
            running = self._joined(key, purpose, fetch, kind)
            try:
                is_done = running.done.wait(max(0.0, deadline - self.runtime.monotonic()))
            finally:
                with self._lock:
                    self._counts["waiting", kind] -= 1
            if not is_done:
                raise FetchTooSlow()
            if running.purpose == purpose:
                if running.error is not None:
                    raise copy(running.error)
                return

    def run_here(self, key: Hashable, purpose: Hashable, fetch: Callable[[], object]) -> None:
        """Run the fetch in this thread, unless one of the key runs or has failed for this purpose a moment ago.

        A failure is logged and remembered, and not raised.
        """
        with self._lock:
            if key in self._running or self._failure_of(purpose) is not None:
                return
            running = self._running[key] = _Fetch(purpose, self.runtime.flag())
        self._run(key, running, fetch, None)

    def _joined(self, key: Hashable, purpose: Hashable, fetch: Callable[[], object], kind: Wait) -> _Fetch:
        with self._lock:
            failure = self._failure_of(purpose)
            if failure is not None:
                raise failure
            running = self._running.get(key)
            if self._counts["waiting", kind] >= self.most_waiting:
                raise NotWaited()
            if running is None:
                if self._counts["running", kind] >= self.most_running:
                    raise NotWaited()
                running = self._running[key] = _Fetch(purpose, self.runtime.flag())
                started = running
                self._counts["running", kind] += 1
                try:
                    self.runtime.start_thread(lambda: self._run(key, started, fetch, kind), "catalog-fetch")
                except BaseException:
                    del self._running[key]
                    self._counts["running", kind] -= 1
                    raise
            self._counts["waiting", kind] += 1
            return running

    def _run(self, key: Hashable, running: _Fetch, fetch: Callable[[], object], kind: Wait | None) -> None:
        try:
            fetch()
        except Exception as error:
            running.error = error
            if isinstance(error, BookingError):
                _log.warning("catalog.fetch_failed key=%s code=%s: %s", key, error.code, error)
            else:
                _log.exception("catalog.fetch_failed key=%s", key)
        finally:
            with self._lock:
                del self._running[key]
                if kind is not None:
                    self._counts["running", kind] -= 1
                self._remember(running)
            running.done.set()

    def _remember(self, ended: _Fetch) -> None:
        self._failures.pop(ended.purpose, None)
        if ended.error is not None:
            self._failures[ended.purpose] = self.runtime.monotonic() + self.failure_seconds, ended.error
            if len(self._failures) > _MOST_FAILURES:
                del self._failures[next(iter(self._failures))]

    def _failure_of(self, purpose: Hashable) -> Exception | None:
        until, error = self._failures.get(purpose, (0.0, None))
        return copy(error) if error is not None and self.runtime.monotonic() < until else None
