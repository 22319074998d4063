"""granian's server with rules of our own for replacing and stopping worker processes (ADR 0021).

It overrides methods of `MPServer` that granian does not document, and replaces `granian._signals.set_loop_signals`:
there is no public way. So the version of granian is bounded to 2.8, and the tests of this module check each rule.
"""

import asyncio
import ctypes
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.sharedctypes import RawValue
from queue import SimpleQueue
from typing import Any, Final

import structlog
from granian import _signals
from granian.server import MPServer
from granian.server.mp import WorkerProcess

from booking_server.listeners import Listeners, has_unread_bytes
from booking_server.worker_stage import Stage, WorkerStage
from booking_telemetry.otel import switch_on

_log = structlog.get_logger(__name__)

STOP_TIMEOUT: Final = 30.0
"""Seconds for requests in flight to end before their worker is killed; a slow body alone may take 10 s."""

_STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
# Seconds. A worker that dies at a younger age was not able to start: another one would die, too.
_CRASH_LOOP_AGE: Final = 10.0
# Seconds for a new worker to listen: it loads the application and opens its database connections.
_START_TIMEOUT: Final = 60.0
# Seconds between a worker's last new connection and its end, which drops connections that it has not read from: so
# long may a connection be idle, and so long may the handshakes that have begun take.
_QUIET_PERIOD: Final = 1.0
# Seconds between two checks of the accept queues, or of a worker's unread bytes.
_CHECK_INTERVAL: Final = 0.01
# Seconds for a busy worker to read what its connections have received. A rejected body may stay unread for good.
_UNREAD_TIMEOUT: Final = 5.0
# Seconds. A signal that reaches a worker in its first moments is lost, so it is sent again.
_SIGNAL_INTERVAL: Final = 0.5


class GracefulServer(MPServer):
    """A server that replaces a worker only after it has ended, so that workers never exceed their database connections.

    A worker that dies is replaced; one that dies young ends the server. SIGHUP replaces all workers, one after the
    other, as long as each new one serves; meanwhile the others take new connections (those of a single worker wait for
    its successor). SIGTERM and SIGINT stop the server. On Linux neither loses a connection: a worker ends when its
    accept queue is empty, and each of its connections has got a last response with `Connection: close` or has been idle
    for 1 s. Requests in flight end first, for at most STOP_TIMEOUT.

    A worker's own signals count only when the parent has set its stage to ENDING: ^C and systemd signal every process.
    """

    _listeners: Listeners | None = None

    def run(
        self,
        loader: Callable[[WorkerStage], Any],
        *,
        stop_delay: float = 0.0,
        crash_loop_age: float = _CRASH_LOOP_AGE,
    ) -> bool:
        """Serve until SIGTERM or SIGINT, then return True; return False if a worker cannot be kept running.

        After the signal the workers serve for `stop_delay` seconds more, not ready, so that a load balancer removes
        this server first.
        """
        # granian uses only these two methods of the event.
        self.main_loop_interrupt = _WakeUp()  # type: ignore[assignment]
        self._crash_loop_age = crash_loop_age
        self._are_kept_running = True
        self._stop_delay = stop_delay
        self._is_serving = multiprocessing.Event()
        self._stages = [RawValue(ctypes.c_ubyte) for _ in range(self.workers)]
        self.serve(target_loader=partial(_load, loader, self._is_serving), wrap_loader=False)
        return self._are_kept_running

    def shutdown(self, exit_code: int = 0) -> None:
        """Stop the workers, and return."""
        self._set_stage(Stage.STOPPING, range(self.workers))
        if self._are_kept_running and self._stop_delay:
            _log.info("serve.not_ready", seconds=self._stop_delay)
            time.sleep(self._stop_delay)
        self._stop_by = time.monotonic() + STOP_TIMEOUT
        if self._listeners is not None:
            self._listeners.shut_out()
        self._await_quiet(self.wrks, self._stop_by)
        # granian exits with 1 if a worker ended before it was stopped, as one does that gets the terminal's ^C first.
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
            self._ssp, self._shd = None, self._listeners.holder(idx)  # type: ignore[assignment]
            others = self._listeners.descriptors_of_others(idx)
            callback_loader = partial(_load_with_own_socket, others, self.bind_port, callback_loader)
        self._set_stage(Stage.SERVING, [idx])
        callback_loader = partial(callback_loader, self._stages[idx])
        worker: WorkerProcess = super()._spawn_worker(idx, target, callback_loader)
        return worker

    def _serve_loop(self, spawn_target: Any, target_loader: Any) -> None:
        while not self.interrupt_signal:
            self.main_loop_interrupt.wait()
            if not self._replace_dead(spawn_target, target_loader):
                self._are_kept_running = False
                return
            if self.reload_signal:
                self.reload_signal = False
                self._replace_all(spawn_target, target_loader)

    def _replace_dead(self, spawn_target: Any, target_loader: Any) -> bool:
        """Replace the workers that have died; False if one died young."""
        while self.interrupt_children and not self.interrupt_signal:
            idx = self.interrupt_children.pop(0)
            if self.wrks[idx].inner.is_alive():
                continue  # replaced meanwhile: its predecessor died
            if time.monotonic() - self.wrks[idx].birth < self._crash_loop_age:
                return False
            self._replace(idx, spawn_target, target_loader)
        return True

    def _replace_all(self, spawn_target: Any, target_loader: Any) -> None:
        for idx in range(self.workers):
            if not self._replace(idx, spawn_target, target_loader):
                _log.warning("serve.reload_given_up", worker=idx + 1)
                return

    def _replace(self, idx: int, spawn_target: Any, target_loader: Any) -> bool:
        """Replace one worker; False if the new one does not serve. Then the others must stay: none might be left."""
        self._retire(self.wrks[idx])
        self._is_serving.clear()
        self.wrks[idx] = self._spawn_worker(idx=idx, target=spawn_target, callback_loader=target_loader)
        self.wrks[idx].start()  # type: ignore[no-untyped-call]
        is_serving = self._await_serving(self.wrks[idx])
        if self._listeners is not None and not self.interrupt_signal:
            self._listeners.include_all()
        return is_serving

    def _retire(self, worker: WorkerProcess) -> None:
        """End one worker when its connections have ended. New ones are not lost, also if the server stops meanwhile."""
        stop_by = time.monotonic() + STOP_TIMEOUT
        self._set_stage(Stage.REPLACED, [worker.idx])
        is_alive = worker.inner.is_alive()
        # The successor of a single worker that has died gets its socket, with the connections that wait there.
        if self._listeners is not None and (is_alive or self.workers > 1):
            self._listeners.exclude(worker.idx)
        self._await_quiet([worker], stop_by)
        if self._listeners is not None and is_alive:
            self._listeners.hand_over(worker.idx)
        self._end([worker], stop_by)

    def _await_quiet(self, workers: list[WorkerProcess], give_up_at: float) -> None:
        """Wait until the accept queues of these workers have been empty for _QUIET_PERIOD."""
        quiet_since = time.monotonic()
        while (now := time.monotonic()) < min(quiet_since + _QUIET_PERIOD, give_up_at):
            alive = [worker.idx for worker in workers if worker.inner.is_alive()]
            if not alive:
                return
            if self._listeners is not None and any(self._listeners.queued(idx) for idx in alive):
                quiet_since = now
            time.sleep(_CHECK_INTERVAL)

    def _set_stage(self, stage: Stage, workers: Iterable[int]) -> None:
        for idx in workers:
            self._stages[idx].value = stage

    def _await_serving(self, worker: WorkerProcess) -> bool:
        give_up_at = time.monotonic() + _START_TIMEOUT
        while not self._is_serving.wait(0.05):
            if not worker.inner.is_alive() or self.interrupt_signal or time.monotonic() > give_up_at:
                return False
        return True

    def _stop_workers(self) -> None:
        self._end(self.wrks, self._stop_by)
        self.wrks.clear()

    def _end(self, workers: list[WorkerProcess], give_up_at: float) -> None:
        """Stop workers and wait for their end; kill those that are left then."""
        self._set_stage(Stage.ENDING, [worker.idx for worker in workers])
        left = list(workers)
        while left and time.monotonic() < give_up_at:
            for worker in left:
                worker.terminate()  # type: ignore[no-untyped-call]
            wait([worker.inner.sentinel for worker in left], _SIGNAL_INTERVAL)
            left = [worker for worker in left if worker.inner.is_alive()]
        for worker in left:
            worker.kill()  # type: ignore[no-untyped-call]
        for worker in workers:
            process = worker.inner
            process.join()
            _log.info("serve.worker_ended", worker=worker.idx + 1, pid=process.pid, exit_code=process.exitcode)
            _remove_live_gauges(process.pid)


def _load_with_own_socket(others: Collection[int], port: int, loader: Callable[..., Any], stage: WorkerStage) -> Any:
    for descriptor in others:
        os.close(descriptor)
    return loader(stage, partial(has_unread_bytes, port))


def _load(
    loader: Callable[[WorkerStage], Any],
    is_serving: Any,
    stage: WorkerStage,
    is_behind: Callable[[], bool] = lambda: False,
) -> Any:
    """Load the application in a new worker process, and install its signal handlers."""

    def exit_if_ending(*_: object) -> None:
        if stage.value == Stage.ENDING:
            os._exit(0)  # it has no requests yet

    for number in _STOP_SIGNALS:
        # Until now the worker has the handlers of the parent.
        signal.signal(number, exit_if_ending)
    _signals.set_loop_signals = partial(_stop_at_first_signal, is_serving, stage, is_behind, _signals.set_loop_signals)
    switch_on("booking-serve")
    return loader(stage)


def _stop_at_first_signal(
    is_serving: Any,
    stage: WorkerStage,
    is_behind: Callable[[], bool],
    set_loop_signals: Any,
    loop: asyncio.AbstractEventLoop,
) -> Any:
    """Install handlers that stop the worker at the first signal after its stage is ENDING, and ignore all others.

    Several signals arrive: ^C and systemd signal every process, and so does the parent, again and again. At the third
    one granian drops the requests in flight. It also drops a connection from which it has read nothing, so that a
    worker that `is_behind` reads first.
    """
    stop = set_loop_signals(loop)

    def handle() -> None:
        if stage.value != Stage.ENDING:
            return
        for each in _STOP_SIGNALS:
            loop.remove_signal_handler(each)
            signal.signal(each, signal.SIG_IGN)
        stop_when_read(loop.time() + _UNREAD_TIMEOUT)

    def stop_when_read(give_up_at: float) -> None:
        if is_behind() and loop.time() < give_up_at:
            loop.call_later(_CHECK_INTERVAL, stop_when_read, give_up_at)
        else:
            stop.set()

    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, handle)
    # The loop runs as soon as granian listens, and not before.
    loop.call_soon(is_serving.set)
    return stop


class _WakeUp:
    """Replaces a threading.Event, whose `set` in a signal handler may deadlock with the `wait` that it interrupts."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[None] = SimpleQueue()

    def set(self) -> None:
        self._calls.put(None)

    def wait(self) -> None:
        self._calls.get()


def _remove_live_gauges(pid: int | None) -> None:
    """Remove the gauges of a process that has ended from the sums; its counters stay."""
    if pid is not None and "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(pid)  # type: ignore[no-untyped-call]
