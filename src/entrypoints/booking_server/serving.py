"""`booking serve`: the API under granian, in several processes that share one budget of database connections."""

import gc
import logging
import os
import secrets
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import structlog
from attrs import frozen
from granian.constants import Interfaces, Loops
from granian.http import HTTP1Settings, HTTP2Settings
from granian.log import LogLevels

from booking_server.graceful_server import GracefulServer
from booking_service.composition import Composition
from booking_service.settings import Settings
from booking_telemetry import logs
from booking_telemetry.metrics_directory import own_directory

_log = structlog.get_logger(__name__)

Compose = Callable[[Settings], Composition]

_METRICS_DIRECTORY: Final = "PROMETHEUS_MULTIPROC_DIR"
# Connections wait here, not in the kernel's queue, whose overflow the customers would feel as seconds of silence.
_BACKLOG: Final = 2048
_CONNECTIONS_PER_PROCESS: Final = 4096
# Each hands requests to the event loop one at a time, and for each it waits its turn for the interpreter: with a single
# one, new connections waited longer than 100 ms in an overload.
_RUNTIME_THREADS: Final = 2
# Request line and headers together; for HTTP/1.1 it is granian's buffer, of which bodies need no more either.
_LONGEST_HEAD: Final = 64 * 1024
_NEW_OBJECTS_BEFORE_GC: Final = 20_000
_PARENT_GONE_EVERY_SECONDS: Final = 1.0


class CannotServe(Exception):
    """The server can't start. The text is one line for an operator."""


@frozen(kw_only=True)
class Address:
    """Where to listen, and in how many processes."""

    host: str
    port: int
    workers: int


def serve(settings: Settings, address: Address, compose: Compose = Composition) -> None:
    """Serve until SIGTERM or SIGINT; requests in flight are answered first, for at most 30 s.

    Raises SettingsError and CannotServe before any process is started: connections too few for the workers, the store
    in trouble, the port taken; and CannotServe afterwards if a worker could not be kept running.
    """
    share = settings.sharing_connections(address.workers)
    with compose(settings.sharing_connections(settings.db_connections)) as parts:
        health = parts.store.upkeep.health()
        if not health.is_ready:
            raise CannotServe(str(health))
    _refuse_taken_port(address)
    with _metrics_directory(address.workers):
        _log.info("serve.starting", host=address.host, port=address.port, workers=address.workers)
        server = GracefulServer(
            "booking_server.serving:load_app",
            address=address.host,
            port=address.port,
            interface=Interfaces.RSGI,
            loop=Loops.uvloop,  # half of asyncio's CPU for what the front does
            workers=address.workers,
            runtime_threads=_RUNTIME_THREADS,
            backlog=_BACKLOG,
            backpressure=_CONNECTIONS_PER_PROCESS,
            http1_settings=HTTP1Settings(max_buffer_size=_LONGEST_HEAD),
            http2_settings=HTTP2Settings(max_headers_size=_LONGEST_HEAD),
            websockets=False,
            log_access=False,
            log_level=LogLevels.error,
            log_dictconfig=_GRANIAN_LOGS,
        )
        kept_running = server.run(partial(load_app, share, compose, secrets.token_bytes(32), os.getpid()))
    if not kept_running:
        raise CannotServe("a worker process could not be kept running: see the log above")
    _log.info("serve.stopped")


# What granian logs goes where everything goes. Our own handler is on the root logger.
_GRANIAN_LOGS: Final[dict[str, Any]] = {
    "version": 1,
    "disable_existing_loggers": False,
    "incremental": False,
    "formatters": {},
    "handlers": {},
    "loggers": {name: {"handlers": [], "propagate": True} for name in ("_granian", "granian.access")},
}


def load_app(settings: Settings, compose: Compose, pseudonym_key: bytes, parent: int) -> Any:
    """In a worker process: the application behind its front. A start that fails is one line in the log, and the end."""
    logs.configure(settings.log_level, settings.log_format, settings.secrets)
    _end_with(parent)
    try:
        from booking_api.app import create_app
        from booking_server.gateway import Gateway

        parts = compose(settings)
        service = parts.service(metrics=_metrics_of_all(), pseudonym_key=pseudonym_key)
        # A thread for each connection: with more of them, those that run only hand the interpreter to each other.
        front = Gateway(create_app(service, parts.verifier), threads=settings.db_connections)
    except Exception as error:
        _log.error("serve.worker_cannot_start", error=f"{type(error).__name__}: {error}")
        sys.exit(1)
    _leave_alone_what_stays()
    return front


def _leave_alone_what_stays() -> None:
    """What was loaded stays for good, and requests leave few cycles behind: look less often, and there alone."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS_BEFORE_GC)


def _metrics_of_all() -> Callable[[], bytes] | None:
    """What /metrics shows when several processes serve: the figures of all of them; None for one process."""
    if _METRICS_DIRECTORY not in os.environ:
        return None
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    def write() -> bytes:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)

    return write


@contextmanager
def _metrics_directory(workers: int) -> Iterator[None]:
    """An empty directory for the figures of several processes, known to them by the environment, and gone afterwards.

    It has to be named before anything imports prometheus_client, which decides at import where figures live.
    """
    if workers == 1:
        os.environ.pop(_METRICS_DIRECTORY, None)
        yield
        return
    with own_directory() as directory:
        os.environ[_METRICS_DIRECTORY] = str(directory)
        try:
            yield
        finally:
            os.environ.pop(_METRICS_DIRECTORY, None)


def _refuse_taken_port(address: Address) -> None:
    """The workers share the port by SO_REUSEPORT, and would share it with a stranger that does the same."""
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
    except OSError as error:
        raise CannotServe(f"cannot listen on {address.host}:{address.port}: {error.strerror or error}") from error


def _end_with(parent: int) -> None:
    """End this worker when its parent was killed and could not: an orphan would keep the port and its connections."""

    def watch() -> None:
        pause = threading.Event()
        while os.getppid() == parent:
            pause.wait(_PARENT_GONE_EVERY_SECONDS)
        logging.getLogger(__name__).error("serve.parent_gone: this worker ends")
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
