"""What orchestrators and monitoring ask of `booking worker`, on BOOKING_WORKER_PORT: health and figures, no token.

It listens on all IPv4 addresses of the machine, because whoever asks (a kubelet, Prometheus) does so from outside of
it; nothing that it says is secret. Whom to let in is the network's business.
"""

import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import structlog
from attrs import define, field
from prometheus_client import CONTENT_TYPE_LATEST

from booking_core.ports.store import Store
from booking_telemetry.readiness import Readiness
from booking_workers.jobs import Job
from booking_workers.metrics import figures_of

_log = structlog.get_logger(__name__)

_EVERYWHERE: Final = "0.0.0.0"  # noqa: S104 - as the module says
# For each read and write: a caller that says nothing must not keep a thread for ever.
_PATIENCE_SECONDS: Final = 5.0
_LOOKS_EVERY_SECONDS: Final = 0.1

Reply = tuple[HTTPStatus, str, bytes]


class PortTaken(Exception):
    """Nobody can listen there. The text is one line for an operator."""


@define(eq=False)
class WorkerHealth:
    """The three answers. `should_continue` is False once the worker was told to stop: then its jobs may end."""

    should_continue: Callable[[], bool]
    readiness: Readiness
    figures: Callable[[], bytes]
    _threads: Sequence[threading.Thread] = field(factory=tuple, init=False)

    def watch(self, threads: Sequence[threading.Thread]) -> None:
        """These are the threads of the jobs, named for them."""
        self._threads = threads

    def reply(self, path: str) -> Reply:
        """`/healthz`: 200 while every job runs. `/readyz`: 200 if the store can be used, by a look at most a second
        old. `/metrics`: 200 with the figures. Else 503, and 404 for any other path, in the envelope of the API."""
        route = path.partition("?")[0]
        if route == "/healthz":
            return self._alive()
        if route == "/readyz":
            return self._ready()
        if route == "/metrics":
            return HTTPStatus.OK, CONTENT_TYPE_LATEST, self.figures()
        return _refusal(HTTPStatus.NOT_FOUND, "NOT_FOUND", "There is nothing here")

    def _alive(self) -> Reply:
        # Looked at before `should_continue`: so a job that ended because of the stop is never taken for a dead one.
        dead = [thread.name for thread in self._threads if not thread.is_alive()]
        if dead and self.should_continue():
            return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, "INTERNAL_ERROR", f"Ended unasked: {', '.join(dead)}")
        return _json(HTTPStatus.OK, {"success": True, "data": {"status": "ALIVE"}})

    def _ready(self) -> Reply:
        if self.readiness.is_ready():
            return _json(HTTPStatus.OK, {"success": True, "data": {"status": "READY"}})
        return _refusal(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "SERVICE_BUSY",
            "The database cannot be reached, or its schema is not the one needed; the log says which",
        )


@contextmanager
def answering(
    port: int, jobs: Sequence[Job], store: Store, should_continue: Callable[[], bool]
) -> Iterator[WorkerHealth]:
    """Answer on that port until the end of the block. Raises PortTaken."""
    health = WorkerHealth(should_continue, Readiness(store), figures_of(jobs, store))
    try:
        server = _Server((_EVERYWHERE, port), _handler(health))
    except OSError as error:
        reason = error.strerror or error
        raise PortTaken(f"BOOKING_WORKER_PORT: cannot listen on {_EVERYWHERE}:{port}: {reason}") from error
    thread = threading.Thread(target=server.serve_forever, args=(_LOOKS_EVERY_SECONDS,), name="health", daemon=True)
    thread.start()
    _log.info("worker.answers", host=_EVERYWHERE, port=port)
    try:
        yield health
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    """A thread for each request; what goes wrong in one is a line in the log."""

    def handle_error(self, request: socket.socket | tuple[bytes, socket.socket], client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # a caller that went away is no news
            _log.exception("worker.health_failed")


def _handler(health: WorkerHealth) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _PATIENCE_SECONDS

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
            """Nothing: it is asked every few seconds."""

    return Handler


def _json(status: HTTPStatus, document: object) -> Reply:
    return status, "application/json", json.dumps(document, separators=(",", ":")).encode()


def _refusal(status: HTTPStatus, code: str, message: str) -> Reply:
    error = {"code": code, "message": message, "details": {}}
    return _json(status, {"success": False, "error": error})
