"""`booking serve`: the API under granian, in several processes that share one budget of database connections."""

import gc
import os
import secrets
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import structlog
from attrs import evolve, frozen
from granian.constants import Interfaces, Loops
from granian.http import HTTP1Settings, HTTP2Settings
from granian.log import LogLevels

from booking_server.graceful_server import GracefulServer
from booking_server.worker_stage import WorkerStage
from booking_service.composition import Composition
from booking_service.settings import Settings
from booking_telemetry import logs
from booking_telemetry.metrics_directory import own_directory

if TYPE_CHECKING:
    from booking_api.auth.verifier import TokenVerifier
    from booking_api.service import Service
    from booking_server.gateway import Gateway

_log = structlog.get_logger(__name__)

Compose = Callable[[Settings], Composition]

_METRICS_DIRECTORY: Final = "PROMETHEUS_MULTIPROC_DIR"
# Connections that the kernel keeps until they are accepted: when that queue overflows, clients retry after seconds.
# While a single worker is replaced its new connections wait there, 500 a second for 8 s. net.core.somaxconn caps it.
_BACKLOG: Final = 4096
# Open connections of one process; each costs a coroutine.
_CONNECTIONS_PER_PROCESS: Final = 4096
# granian's threads. Each acquires the GIL to pass a request to the event loop: with a single one, new connections
# waited longer than 100 ms under overload.
_RUNTIME_THREADS: Final = 2
# Bytes of request line and headers; with HTTP/1.1 the size of granian's buffer, and as long as a body may be.
_LONGEST_HEAD: Final = 64 * 1024
# Connections of a process from which on two of them are for groups.
_SHARE_FOR_TWO: Final = 4
# New objects between two garbage collections: requests leave few cycles behind, and Python's 700 would cost CPU.
_GC_THRESHOLD: Final = 20_000
# Seconds between two checks whether the parent process lives.
_PARENT_CHECK_INTERVAL: Final = 1.0
# granian's log lines go to our handler, which is on the root logger.
_GRANIAN_LOGS: Final[dict[str, Any]] = {
    "version": 1,
    "disable_existing_loggers": False,
    "incremental": False,
    "formatters": {},
    "handlers": {},
    "loggers": {name: {"handlers": [], "propagate": True} for name in ("_granian", "granian.access")},
}


class CannotServe(Exception):
    """The server cannot start or go on. The text is one line for an operator."""


@frozen(kw_only=True)
class Address:
    """The address to listen on, and the number of worker processes. `host`: an address, a name, or `*` for all."""

    host: str
    port: int
    workers: int


def serve(settings: Settings, address: Address, compose: Compose = Composition) -> None:
    """Serve until SIGTERM or SIGINT; requests in flight end first, for at most 30 s after the stop delay.

    Before it starts a process it raises SettingsError if there are fewer connections than workers, and CannotServe if
    the store has a problem or the port is in use. Later it raises CannotServe if a worker cannot be kept running.
    """
    worker_settings = settings.sharing_connections(address.workers)
    with compose(settings.sharing_connections(settings.db_connections)) as parts:
        health = parts.store.upkeep.health()
        if not health.is_ready:
            raise CannotServe(str(health))
    address = _bindable(address)
    with _metrics_directory(address.workers):
        _log.info("serve.starting", host=address.host, port=address.port, workers=address.workers)
        loader = partial(load_app, worker_settings, compose, secrets.token_bytes(32), os.getpid())
        if not _new_server(address).run(loader, stop_delay=settings.stop_delay_seconds):
            raise CannotServe("a worker process could not be kept running: see the log above")
    _log.info("serve.stopped")


def load_app(settings: Settings, compose: Compose, pseudonym_key: bytes, parent: int, stage: WorkerStage) -> Any:
    """Load the application behind its gateway, in a worker process. A failure is logged as one line and ends it."""
    logs.configure(settings.log_level, settings.log_format, settings.secrets)
    _exit_with_parent(parent)
    try:
        parts = compose(settings)
        service = parts.service(metrics=_multiprocess_metrics(), pseudonym_key=pseudonym_key)
        gateway = _gateway(settings, service, parts.verifier, stage)
    except Exception as error:
        _log.error("serve.worker_cannot_start", error=f"{type(error).__name__}: {error}")
        sys.exit(1)
    _reduce_garbage_collection()
    return gateway


def _gateway(settings: Settings, service: "Service", verifier: "TokenVerifier", stage: WorkerStage) -> "Gateway":
    """Make the gateway. Groups need a store that can run them on an event loop, and a connection beside another one."""
    from booking_api.app import create_app
    from booking_core.ports import EventLoopStore
    from booking_server.gateway import Gateway
    from booking_server.gateway.groups import GroupLimits, GroupSetUp

    app, groups, for_groups = create_app(service, verifier), None, 0
    if settings.group_size > 1 and settings.db_connections > 1 and isinstance(service.store, EventLoopStore):
        for_groups = 2 if settings.db_connections >= _SHARE_FOR_TWO else 1
        groups = GroupSetUp(
            reservations=app.gateway_reservations,
            store=service.store,
            catalog_cache=service.catalog_cache,
            terms=service.terms,
            registry=service.registry,
            limits=GroupLimits(size=settings.group_size, connections=for_groups),
        )
    # One thread for each connection that groups leave: more threads only compete for the GIL.
    return Gateway(app, threads=settings.db_connections - for_groups, groups=groups, stage=stage)


def _new_server(address: Address) -> GracefulServer:
    return GracefulServer(
        "booking_server.serving:load_app",
        address=address.host,
        port=address.port,
        interface=Interfaces.RSGI,
        loop=Loops.uvloop,  # needs half of the CPU that asyncio's loop needs for the gateway
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


def _bindable(address: Address) -> Address:
    """Return the address with its host as a number. Raises CannotServe for an unknown name, or a port in use.

    `*` is every address of the machine. Of a name with several addresses the first IPv4 one is taken. A bound port must
    be found here, because SO_REUSEPORT would share it with another program that sets it, too.
    """
    host = address.host.removeprefix("[").removesuffix("]")
    if host == "*":
        host = "::" if socket.has_dualstack_ipv6() else "0.0.0.0"  # noqa: S104 - that is what was asked for
    try:
        found = socket.getaddrinfo(host, address.port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, where = min(found, key=lambda each: each[0] is not socket.AF_INET)
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
    except (OSError, UnicodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise CannotServe(f"cannot listen on {address.host}:{address.port}: {reason}") from error
    return evolve(address, host=str(where[0]))


@contextmanager
def _metrics_directory(workers: int) -> Iterator[None]:
    """Provide several processes with an empty directory for their metrics, named in the environment.

    It is named before the first import of prometheus_client, which decides then where metrics are kept.
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


def _multiprocess_metrics() -> Callable[[], bytes] | None:
    """Return what /metrics shows if several processes serve: the sums over all of them. None for one process."""
    if _METRICS_DIRECTORY not in os.environ:
        return None
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    def write() -> bytes:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)

    return write


def _reduce_garbage_collection() -> None:
    """Exclude what has been loaded, which stays for good, and collect less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD)


def _exit_with_parent(parent: int) -> None:
    """Exit when the parent has been killed: an orphan would keep the port and its database connections."""

    def watch() -> None:
        pause = threading.Event()
        while os.getppid() == parent:
            pause.wait(_PARENT_CHECK_INTERVAL)
        _log.error("serve.parent_gone: this worker ends")
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
