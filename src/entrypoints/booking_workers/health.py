"""The HTTP endpoint of a worker process: `/healthz`, `/readyz` and `/metrics`, without a token.

It listens on all addresses, IPv4 and IPv6, because a kubelet or Prometheus calls from another machine. Its replies
hold no secret; access is restricted by the network.
"""

import json
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from attrs import define, field

from booking_core.application.system_runtime import SYSTEM_RUNTIME
from booking_core.ports.runtime import Runtime, Thread
from booking_core.ports.store import Store
from booking_telemetry.logs import get_logger
from booking_telemetry.readiness import Readiness, problem_of
from booking_workers.jobs import OnStart

_log = get_logger(__name__)

_ALL_ADDRESSES: Final = "0.0.0.0"  # noqa: S104 - see the docstring of the module
# For each read and write: a silent client must not keep its thread for ever.
_SOCKET_TIMEOUT_SECONDS: Final = 5.0
_SHUTDOWN_CHECK_SECONDS: Final = 0.1  # between two checks whether the block has ended

Reply = tuple[HTTPStatus, str, bytes]


class PortTaken(Exception):
    """The endpoint cannot listen on its port. The text is one line for an operator."""


@define(eq=False)
class WorkerHealth:
    """The replies of the endpoint.

    `should_continue` is False once a stop was requested: from then on the jobs may end. Without `metrics` there is no
    `/metrics`.
    """

    should_continue: Callable[[], bool]
    readiness: Readiness
    metrics: Callable[[], bytes] | None = None
    _threads: Sequence[Thread] = field(factory=tuple, init=False)

    def observe(self, threads: Sequence[Thread]) -> None:
        """Report on these threads of jobs from now on."""
        self._threads = threads

    def reply(self, path: str) -> Reply:
        """Status, content type and body.

        `/healthz`: 200 while every job runs. `/readyz`: 200 if the store can be used, checked at most a second ago.
        `/metrics`: 200. Failed checks are 503 and other paths 404, in the envelope of the API.
        """
        route = path.partition("?")[0]
        if route == "/healthz":
            return self._liveness()
        if route == "/readyz":
            return self._readiness()
        if route == "/metrics" and self.metrics is not None:
            from prometheus_client import (
                CONTENT_TYPE_LATEST,  # here, for a worker without metrics needs no such library
            )

            return HTTPStatus.OK, CONTENT_TYPE_LATEST, self.metrics()
        return _error(HTTPStatus.NOT_FOUND, "NOT_FOUND", "There is nothing here")

    def _liveness(self) -> Reply:
        # The threads are read before `should_continue`: a job that ended because of a stop is not reported as dead.
        dead = [thread.name for thread in self._threads if not thread.is_alive()]
        if dead and self.should_continue():
            return _error(HTTPStatus.SERVICE_UNAVAILABLE, "INTERNAL_ERROR", f"Ended unasked: {', '.join(dead)}")
        return _json(HTTPStatus.OK, {"success": True, "data": {"status": "ALIVE"}})

    def _readiness(self) -> Reply:
        health = self.readiness.health()
        if health.is_ready:
            return _json(HTTPStatus.OK, {"success": True, "data": {"status": "READY"}})
        details = {"reason": health.kind.value}
        return _error(HTTPStatus.SERVICE_UNAVAILABLE, "SERVICE_BUSY", problem_of(health.kind), details)


@contextmanager
def serve_health(
    port: int,
    store: Store,
    should_continue: Callable[[], bool],
    *,
    metrics: Callable[[], bytes] | None = None,
    host: str = _ALL_ADDRESSES,
    runtime: Runtime = SYSTEM_RUNTIME,
) -> Iterator[OnStart]:
    """Serve the endpoint in a thread until the end of the block. Raises PortTaken.

    The block receives the `on_start` for `run_together`: from then on `/healthz` reports on the jobs' threads.
    """
    health = WorkerHealth(should_continue, Readiness(store), metrics)
    try:
        server = _Server((host, port), _request_handler(health))
    except OSError as error:
        raise PortTaken(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    thread = runtime.start_thread(partial(server.serve_forever, _SHUTDOWN_CHECK_SECONDS), "health")
    _log.info("worker.answers", host=host, port=port)
    try:
        yield health.observe
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    """Runs one thread per request, and logs what fails in it."""

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        if address[0] == _ALL_ADDRESSES and socket.has_dualstack_ipv6():
            self.address_family, address = socket.AF_INET6, ("::", address[1])
        super().__init__(address, handler)

    def server_bind(self) -> None:
        if self.address_family is socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def handle_error(self, request: socket.socket | tuple[bytes, socket.socket], client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # a client that disconnects is not an error
            _log.exception("worker.health_failed")


def _request_handler(health: WorkerHealth) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _SOCKET_TIMEOUT_SECONDS

        def do_GET(self) -> None:
            status, content_type, body = health.reply(self.path)
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def version_string(self) -> str:
            return "booking"

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing: probes come every few seconds."""

    return Handler


def _json(status: HTTPStatus, document: object) -> Reply:
    return status, "application/json", json.dumps(document, separators=(",", ":")).encode()


def _error(status: HTTPStatus, code: str, message: str, details: Mapping[str, str] | None = None) -> Reply:
    error = {"code": code, "message": message, "details": details or {}}
    return _json(status, {"success": False, "error": error})
