"""The gateway as granian calls it over RSGI: reads a request and its body, and calls the WSGI application in a thread.

The application blocks, in as many threads as the process has database connections. Requests wait in the event loop,
where each costs only a coroutine, so thousands may wait.
"""

import asyncio
import re
import sys
from asyncio import AbstractEventLoop, Task
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from ctypes import c_ubyte
from functools import partial
from typing import Any, Final, Protocol

import structlog
from attrs import define, field
from granian.rsgi import ProtocolClosed

from booking_api.gateway_responses import GatewayRequest, GatewayResponse, GatewayResponses
from booking_api.http.access_log import ALIVE, PROBES, READY
from booking_api.http.flask_app import ARRIVED, DECODED_BODY, FOUND_TAKEN, KNOWN_TAKEN, LONGEST_BODY, SEATS_BUSY
from booking_core.application.system_runtime import SYSTEM_RUNTIME
from booking_core.ports import Runtime
from booking_server.gateway.admission_control import AdmissionControl
from booking_server.gateway.admission_queue import AdmissionLimits, AdmissionQueue
from booking_server.gateway.application import ThreadPool, call_wsgi, wsgi_environ
from booking_server.gateway.coalescing import (
    LeaderResult,
    PendingRequest,
    Priority,
    ReservationIntent,
    is_reservation,
)
from booking_server.gateway.groups import GroupedReservations, GroupMetrics, GroupSetUp
from booking_server.worker_stage import Stage, WorkerStage

_log = structlog.get_logger(__name__)

# GIL switch interval in seconds; one reservation acquires the GIL about 12 times.
_SWITCH_INTERVAL: Final = 0.001
# Seconds for a body to arrive: a slow network is served, and a client that sends nothing is not waited for.
_BODY_TIMEOUT: Final = 10.0
# Threads that open connections for groups and look bookings up; a second one, because the first may wait for either.
_THREADS_OF_GROUPS: Final = 2
# Checks for late bodies within the timeout, which may thus be exceeded by a tenth.
_CHECKS_PER_TIMEOUT: Final = 10
_METHODS_WITHOUT_BODY: Final = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
# Value of a header that is not ASCII. No header that the gateway reads may have it, so the request is rejected for it.
_NOT_ASCII: Final = "\ufffd"
_CLOSE: Final = ("Connection", "close")
_HTTP_1_1: Final = "1.1"
# Characters of a host with its port (RFC 3986, 3.2.2), without the comma, by which repeated headers are joined.
_HOST: Final = re.compile(r"[A-Za-z0-9._~!$&'()*+;=%:\[\]-]*")


class Application(Protocol):
    """A WSGI application that also has the responses to requests that never reach it."""

    @property
    def gateway_responses(self) -> GatewayResponses: ...

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]: ...


class Gateway:
    """The RSGI application of one process.

    `threads` requests run at once, and one more for each of PROBES: a probe never waits for customers' requests, and
    ALIVE is answered on the event loop, which waits for no thread either. With `groups` reservations run in groups on
    the event loop, over a connection that no thread has. While the worker is replaced or stopped, as `stage` says, each
    response closes its connection.
    """

    def __init__(
        self,
        application: Application,
        threads: int,
        *,
        groups: GroupSetUp | None = None,
        runtime: Runtime = SYSTEM_RUNTIME,
        limits: AdmissionLimits = AdmissionLimits(),  # noqa: B008 - immutable
        stage: WorkerStage | None = None,
    ) -> None:
        self._application = application
        self._stage = stage if stage is not None else c_ubyte(Stage.SERVING)
        self._runtime = runtime
        self._limits = limits
        self._pool = ThreadPool(runtime, "request", threads)
        self._groups = groups
        self._groups_pool = ThreadPool(runtime, "groups", _THREADS_OF_GROUPS)
        self._probe_pools = {path: ThreadPool(runtime, path.strip("/"), 1) for path in PROBES - {ALIVE}}
        self._grouped: GroupedReservations | None = None
        self._bodies: BodyReader | None = None
        self._queue: AdmissionQueue | None = None

    def __rsgi_init__(self, loop: AbstractEventLoop) -> None:
        """Start the threads. granian calls this in the process that serves, before the first request."""
        sys.setswitchinterval(_SWITCH_INTERVAL)
        self._bodies = BodyReader(loop, self._runtime)
        self._grouped = self._grouping(loop)
        self._queue = AdmissionQueue(
            handle=self.handle,
            responses=self._application.gateway_responses,
            pool=self._pool,
            loop=loop,
            runtime=self._runtime,
            control=AdmissionControl(),
            grouping=self._grouped,
            limits=self._limits,
        )
        for pool in (self._pool, *self._probe_pools.values()):
            pool.start()

    def __rsgi_del__(self, loop: AbstractEventLoop) -> None:
        """Return the connection of groups to the store. granian calls this after the last request."""
        if self._grouped is not None:
            self._grouped.groups.close()

    def _grouping(self, loop: AbstractEventLoop) -> GroupedReservations | None:
        if self._groups is None:
            return None
        self._groups_pool.start()
        return GroupedReservations(
            set_up=self._groups,
            groups=self._groups.store.groups_on_event_loop(
                partial(self._groups_pool.run, loop), kept=self._groups.limits.connections
            ),
            runtime=self._runtime,
            metrics=GroupMetrics(self._groups.registry),
        )

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Handle one request; a client that disconnects early is ignored."""
        with suppress(ProtocolClosed):
            try:
                status, headers, body = await self._respond(scope, protocol)
            except ProtocolClosed:
                raise
            except Exception:  # a bug of the gateway; granian's own 500 would have no envelope
                _log.exception("front.failed")
                request = GatewayRequest(scope.method, {}, self._runtime.monotonic())
                status, headers, body = self._application.gateway_responses.broken(request)
            if self._stage.value != Stage.SERVING:
                headers = [*headers, _CLOSE]
            protocol.response_bytes(status, headers, body)

    async def _respond(self, scope: Any, protocol: Any) -> GatewayResponse:
        method, path, headers = scope.method, scope.path, headers_of(scope)
        began = self._runtime.monotonic()
        assert self._bodies is not None and self._queue is not None  # noqa: S101, PT018 - granian has called __rsgi_init__
        try:
            body = await self._bodies.read(method, headers, protocol)
        except TimeoutError:
            return self._application.gateway_responses.late_body(GatewayRequest(method, headers, began))
        if scope.http_version == _HTTP_1_1 and not is_host(headers.get("host")):
            return self._application.gateway_responses.bad_host(GatewayRequest(method, headers, began))
        # A body may take its time: the request has arrived when all of it has.
        request = GatewayRequest(method, headers, self._runtime.monotonic())
        if path == READY and self._stage.value >= Stage.STOPPING:
            return self._application.gateway_responses.stopping(request)
        pending = PendingRequest(
            request, scope, body, priority=Priority.of(method, path), is_reservation=is_reservation(method, path)
        )
        if path in PROBES:
            return await self._probe(path, pending)
        # Not before the body is read: a client that still sends might not receive the response.
        if not self._queue.accepts(pending):
            return self._queue.reject(pending)
        pending.intent = ReservationIntent.of(method, path, headers, body)
        return await self._queue.admit(pending)

    async def _probe(self, path: str, pending: PendingRequest) -> GatewayResponse:
        if path == ALIVE:
            return self.handle(pending)
        loop = asyncio.get_running_loop()
        pending.response = loop.create_future()
        self._probe_pools[path].call(loop, partial(self.handle, pending), pending.respond)
        return await pending.response

    def handle(self, pending: PendingRequest) -> GatewayResponse:
        """Let the application respond. What it raises is logged and becomes INTERNAL_ERROR."""
        pending.started = self._runtime.monotonic()
        try:
            environ = wsgi_environ(pending.scope, pending.request.headers, pending.body)
            environ |= pending.environ
            environ[ARRIVED] = pending.request.arrived
            environ[KNOWN_TAKEN] = pending.known_taken
            environ[DECODED_BODY] = pending.intent.body if pending.intent is not None else None
            response = call_wsgi(self._application, environ)
        except Exception:
            _log.exception("front.application_failed")
            return self._application.gateway_responses.broken(pending.request)
        pending.result = LeaderResult(environ.get(FOUND_TAKEN, frozenset()), is_busy=environ.get(SEATS_BUSY, False))
        return response


@define(eq=False)
class BodyReader:
    """Reads bodies, each within a timeout, and no more of them than LONGEST_BODY and one byte.

    One timer serves all bodies. Nearly every body is there at once, and a timer of its own costs more than reading it.
    """

    loop: AbstractEventLoop
    runtime: Runtime
    timeout: float = _BODY_TIMEOUT
    _reading: dict[Task[Any], float] = field(factory=dict, init=False)
    """The readers and when each began, in that order."""
    _expired: set[Task[Any]] = field(factory=set, init=False)
    _is_check_scheduled: bool = field(default=False, init=False)

    async def read(self, method: str, headers: Mapping[str, str], protocol: Any) -> bytes:
        """Return the body, or as much of it as shows that it is too long. Raises TimeoutError."""
        length = headers.get("content-length")
        if length == "0" or (length is None and method in _METHODS_WITHOUT_BODY and "transfer-encoding" not in headers):
            return b""
        if length is not None and length.isascii() and length.isdigit() and int(length) <= LONGEST_BODY:
            return await self._within_timeout(protocol())
        return await self._within_timeout(_read_at_most(protocol, LONGEST_BODY + 1))

    async def _within_timeout(self, body: Awaitable[bytes]) -> bytes:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine is run by one
        self._reading[task] = self.runtime.monotonic()
        self._schedule_check()
        try:
            return await body
        except asyncio.CancelledError:
            if task not in self._expired:
                raise
            task.uncancel()
            raise TimeoutError from None
        finally:
            self._reading.pop(task, None)
            self._expired.discard(task)

    def _schedule_check(self) -> None:
        if self._reading and not self._is_check_scheduled:
            self._is_check_scheduled = True
            self.loop.call_later(self.timeout / _CHECKS_PER_TIMEOUT, self._check)

    def _check(self) -> None:
        self._is_check_scheduled = False
        began_before = self.runtime.monotonic() - self.timeout
        for task, began in list(self._reading.items()):
            if began > began_before:
                break
            del self._reading[task]
            self._expired.add(task)
            task.cancel()
        self._schedule_check()


async def _read_at_most(protocol: Any, most: int) -> bytes:
    body = bytearray()
    async for chunk in protocol:
        body += chunk
        if len(body) >= most:
            break
    return bytes(body[:most])


def is_host(text: str | None) -> bool:
    """Whether a request of HTTP/1.1 names its host once and validly, as it must (RFC 9112, 3.2); it may be empty."""
    return text is not None and _HOST.fullmatch(text) is not None


def headers_of(scope: Any) -> dict[str, str]:
    """Return the headers by name in lower case; the values of a repeated header are joined by commas."""
    items = scope.headers.items()
    headers = dict(items)
    if len(headers) < len(items):
        headers = {name: ",".join(text for other, text in items if other == name) for name in headers}
    for name in scope.headers.keys():  # noqa: SIM118 - not a dict: `items` leaves out values that are not ASCII
        headers.setdefault(name, _NOT_ASCII)
    return headers
