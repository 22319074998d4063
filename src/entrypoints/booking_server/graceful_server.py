"""granian's server with our rules for replacing and stopping its worker processes."""

import asyncio
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from multiprocessing.connection import wait
from queue import SimpleQueue
from typing import Any, Final

import structlog
from granian import _signals
from granian._granian import WorkerSignal
from granian.server.mp import MPServer, WorkerProcess

from booking_server.listeners import Listeners, close_inherited
from booking_telemetry.otel import switch_on

_log = structlog.get_logger(__name__)

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_STARTS_WITHIN_SECONDS: Final = 10.0
_SERVES_WITHIN_SECONDS: Final = 60.0
_STOPS_WITHIN_SECONDS: Final = 30.0
# Between a worker's last new connection and its end: what was accepted and not read yet is dropped at the end.
_QUIET_SECONDS: Final = 0.5
_ASK_AGAIN_SECONDS: Final = 0.5


class GracefulServer(MPServer):
    """A worker that dies is replaced, but one that dies young (10 s) ends the whole: the next would do the same.

    A replaced worker has ended before the new one starts, so that the processes together never have more database
    connections than their shares add up to. SIGHUP replaces all of them, one after the other, as long as the new ones
    serve; meanwhile the others take new connections, and none is refused or dropped (of a single worker some may be,
    and the others wait for the next). SIGTERM and SIGINT let requests in flight end, for at most 30 s.
    """

    _listeners: Listeners | None = None

    def run(self, loader: Callable[[], Any]) -> bool:
        """Serve until SIGTERM or SIGINT: True; or until a worker can't be kept running: False."""
        # Its two methods are all that is used of an event here.
        self.main_loop_interrupt = _Wake()  # type: ignore[assignment]
        self._kept_running = True
        self._serves = multiprocessing.Event()
        self.serve(target_loader=partial(_load, loader, self._serves), wrap_loader=False)
        return self._kept_running

    def shutdown(self, exit_code: int = 0) -> None:
        """Stop the workers, and return."""
        # Its last step is to exit with 1 for a worker that ended before it was told to, as a ^C makes it.
        with suppress(SystemExit):
            super().shutdown(exit_code)  # type: ignore[no-untyped-call]

    def _init_shared_socket(self) -> None:
        if sys.platform != "linux" or multiprocessing.get_start_method() != "fork":
            super()._init_shared_socket()  # type: ignore[no-untyped-call]
            return
        self._sso = None
        self._listeners = Listeners.open(self.bind_addr, self.bind_port, self.backlog, workers=self.workers)

    def _drop_shared_socket(self) -> None:
        if self._listeners is not None:
            self._listeners.close()
        super()._drop_shared_socket()  # type: ignore[no-untyped-call]

    def _spawn_worker(self, idx: int, target: Any, callback_loader: Any) -> WorkerProcess:  # type: ignore[override]
        if self._listeners is not None:
            self._ssp, self._shd = None, self._listeners.holders[idx]  # type: ignore[assignment]
            callback_loader = partial(_load_with_own_socket, self._listeners.all_but(idx), callback_loader)
        worker: WorkerProcess = super()._spawn_worker(idx, target, callback_loader)
        return worker

    def _serve_loop(self, spawn_target: Any, target_loader: Any) -> None:
        while not self.interrupt_signal:
            self.main_loop_interrupt.wait()
            while self.interrupt_children and not self.interrupt_signal:
                idx = self.interrupt_children.pop(0)
                if self.wrks[idx].inner.is_alive():
                    continue  # replaced meanwhile: what died was its predecessor
                if time.monotonic() - self.wrks[idx].birth < _STARTS_WITHIN_SECONDS:
                    self._kept_running = False
                    return
                self._replace(idx, spawn_target, target_loader)
            if self.reload_signal:
                self.reload_signal = False
                for idx in range(self.workers):
                    if not self._replace(idx, spawn_target, target_loader):
                        _log.warning("serve.reload_given_up", worker=idx + 1)
                        break

    def _replace(self, idx: int, spawn_target: Any, target_loader: Any) -> bool:
        """Whether the new one serves: else the next is not to be ended, for nobody might be left."""
        if self._listeners is not None:
            is_spared = self._listeners.spare(idx)
            if is_spared and self.wrks[idx].inner.is_alive():
                time.sleep(_QUIET_SECONDS)
        self._end([self.wrks[idx]])
        self._serves.clear()
        self.wrks[idx] = self._spawn_worker(idx=idx, target=spawn_target, callback_loader=target_loader)
        self.wrks[idx].start()  # type: ignore[no-untyped-call]
        serves = self._comes_to_serve(self.wrks[idx])
        if self._listeners is not None and not self.interrupt_signal:
            self._listeners.spare_none()
        return serves

    def _comes_to_serve(self, worker: WorkerProcess) -> bool:
        give_up_at = time.monotonic() + _SERVES_WITHIN_SECONDS
        while not self._serves.wait(0.05):
            if not worker.inner.is_alive() or self.interrupt_signal or time.monotonic() > give_up_at:
                return False
        return True

    def _stop_workers(self) -> None:
        self._end(self.wrks)
        self.wrks.clear()

    def _end(self, workers: list[WorkerProcess]) -> None:
        """Ask them until they have ended: what reaches a worker in its very first moments is lost."""
        give_up_at = time.monotonic() + _STOPS_WITHIN_SECONDS
        left = list(workers)
        while left and time.monotonic() < give_up_at:
            for worker in left:
                worker.terminate()  # type: ignore[no-untyped-call]
            wait([worker.inner.sentinel for worker in left], _ASK_AGAIN_SECONDS)
            left = [worker for worker in left if worker.inner.is_alive()]
        for worker in left:
            worker.kill()  # type: ignore[no-untyped-call]
        for worker in workers:
            process = worker.inner
            process.join()
            _log.info("serve.worker_ended", worker=worker.idx + 1, pid=process.pid, exit_code=process.exitcode)
            _forget_metrics(process.pid)


def _load_with_own_socket(others: Collection[int], loader: Callable[[], Any]) -> Any:
    close_inherited(others)
    return loader()


def _load(loader: Callable[[], Any], serves: Any) -> Any:
    """In a new worker process: load the application, and see to it that signals mean what they should."""
    for number in _SIGNALS:
        # It has no requests to finish yet, and would otherwise go on with the parent's handlers.
        signal.signal(number, signal.SIG_DFL)
    _signals.set_loop_signals = partial(_obey_once, serves)
    switch_on("booking-serve")
    return loader()


def _obey_once(serves: Any, loop: asyncio.AbstractEventLoop) -> WorkerSignal:
    """How a worker listens to signals: to the first alone, for at the third granian drops the requests in flight.

    Several do come: ^C and systemd signal every process, and then the parent does.
    """
    stop = WorkerSignal()

    def obey() -> None:
        for each in _SIGNALS:
            loop.remove_signal_handler(each)
            signal.signal(each, signal.SIG_IGN)
        stop.set()

    for number in _SIGNALS:
        loop.add_signal_handler(number, obey)
    # The loop runs when granian listens, not before.
    loop.call_soon(serves.set)
    return stop


class _Wake:
    """Stands in for a threading.Event, whose `set` in a signal handler may wait for the very `wait` it interrupts."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[None] = SimpleQueue()

    def set(self) -> None:
        self._calls.put(None)

    def wait(self) -> None:
        self._calls.get()


def _forget_metrics(pid: int | None) -> None:
    """Take the live gauges of a process that is no more out of the sums; its counters stay."""
    if pid is not None and "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(pid)  # type: ignore[no-untyped-call]
