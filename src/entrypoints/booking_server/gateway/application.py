"""The application behind the gateway: a pool of threads, because it blocks, and calls over WSGI (PEP 3333)."""

import io
import sys
from asyncio import AbstractEventLoop, Future
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from contextvars import Context
from functools import lru_cache
from queue import SimpleQueue
from typing import Any, Final, TypeVar

from attrs import define, field

from booking_api.gateway_responses import GatewayResponse
from booking_core.ports import Runtime

T = TypeVar("T")

_SHARED_ENVIRON: Final[Mapping[str, Any]] = {
    "SCRIPT_NAME": "",
    "wsgi.version": (1, 0),
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
    "wsgi.input_terminated": True,
}


@define(eq=False)
class ThreadPool:
    """`size` threads that run tasks in the order of submission, until the process ends.

    They are daemons: a task that is stuck does not keep the process alive, as one of `concurrent.futures` would.
    """

    runtime: Runtime
    name: str
    size: int
    _tasks: "SimpleQueue[Callable[[], None]]" = field(factory=SimpleQueue, init=False)

    def start(self) -> None:
        """Start the threads."""
        for number in range(self.size):
            self.runtime.start_thread(self._run, f"{self.name}-{number + 1}")

    def submit(self, task: Callable[[], None]) -> None:
        """Run a task that raises nothing on the next free thread."""
        self._tasks.put(task)

    def call(self, loop: AbstractEventLoop, work: Callable[[], T], finish: Callable[[T], object]) -> None:
        """Run `work`, which raises nothing, on a thread, and `finish` with its result on the event loop."""

        def task() -> None:
            result = work()
            # The loop is closed after a shutdown that did not wait for this task.
            # In a context of its own: that of the thread has the correlation id of the request that it has run.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(finish, result, context=Context())

        self.submit(task)

    def run(self, loop: AbstractEventLoop, work: Callable[[], Any]) -> "Future[Any]":
        """Run `work` on a thread; the future, of that loop, gets what it returns or raises."""
        future: Future[Any] = loop.create_future()

        def outcome() -> Callable[[], None]:
            try:
                result = work()
            except Exception as error:
                return _unless_done(future, future.set_exception, error)
            return _unless_done(future, future.set_result, result)

        self.call(loop, outcome, lambda complete: complete())
        return future

    def _run(self) -> None:
        while True:
            self._tasks.get()()


def _unless_done(future: "Future[Any]", complete: Callable[[Any], object], outcome: Any) -> Callable[[], None]:
    """Complete the future when called, unless it was cancelled meanwhile."""

    def completion() -> None:
        if not future.done():
            complete(outcome)

    return completion


@lru_cache(maxsize=512)
def _environ_name(header: str) -> str:
    name = header.upper().replace("-", "_")
    return name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"


_NO_METHOD: Final = "OTHER"


def wsgi_environ(scope: Any, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """Return the WSGI environ (PEP 3333) of a request. Its content length is that of the body."""
    server, _, port = scope.server.rpartition(":")
    environ: dict[str, Any] = {
        **_SHARED_ENVIRON,
        # Methods are case-sensitive (RFC 9110, 9.1), and Werkzeug would take `post` for POST.
        "REQUEST_METHOD": scope.method if scope.method == scope.method.upper() else _NO_METHOD,
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": server,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client.rpartition(":")[0],
        "wsgi.url_scheme": scope.scheme,
        "wsgi.errors": sys.stderr,
        "wsgi.input": io.BytesIO(body),
    }
    for header, text in headers.items():
        if "_" not in header:  # its environ name would be that of another header, one that the gateway reads
            environ[_environ_name(header)] = text
    environ["CONTENT_LENGTH"] = str(len(body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    if scope.authority and "HTTP_HOST" not in environ:
        environ["HTTP_HOST"] = scope.authority
    return environ


def call_wsgi(application: Callable[..., Iterable[bytes]], environ: dict[str, Any]) -> GatewayResponse:
    """Call a WSGI application and return its whole response. Raises what the application raises."""
    started: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Callable[..., Any]:
        started[:] = [int(status[:3]), headers]
        return _write

    parts = application(environ, start_response)
    try:
        body = b"".join(parts)
    finally:
        close = getattr(parts, "close", None)
        if close is not None:
            close()
    status, headers = started
    return status, headers, body


def _write(_: bytes) -> None:
    raise NotImplementedError("write() is not supported: return the body")
