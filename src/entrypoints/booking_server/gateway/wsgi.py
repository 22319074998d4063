"""Calling a WSGI application (PEP 3333) with a request whose body has arrived already."""

import io
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from time import perf_counter
from typing import Any, Final, Protocol

import structlog

from booking_api.gateway_responses import GatewayResponses
from booking_api.http.request import ARRIVED, DECODED_RESERVATION, FOUND_TAKEN, KNOWN_TAKEN, SEATS_BUSY
from booking_server.gateway.pending_request import Answer, PendingRequest

_log = structlog.get_logger(__name__)


class Application(Protocol):
    """A WSGI application that also says how requests are answered that do not get as far as this."""

    @property
    def gateway_responses(self) -> GatewayResponses: ...

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]: ...


_SAME_FOR_ALL: Final[Mapping[str, Any]] = {
    "SCRIPT_NAME": "",
    "wsgi.version": (1, 0),
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
    "wsgi.input_terminated": True,
}


@lru_cache(maxsize=512)
def _name_of(header: str) -> str:
    name = header.upper().replace("-", "_")
    return name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"


def environ_of(scope: Any, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """The environ of a request as granian describes it, with its body and the length that it has."""
    server, _, port = scope.server.rpartition(":")
    environ: dict[str, Any] = {
        **_SAME_FOR_ALL,
        "REQUEST_METHOD": scope.method,
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
        if "_" not in header:  # it would pass for another header, which the front has not seen
            environ[_name_of(header)] = text
    environ["CONTENT_LENGTH"] = str(len(body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    if scope.authority and "HTTP_HOST" not in environ:
        environ["HTTP_HOST"] = scope.authority
    return environ


def serve(application: Application, visit: PendingRequest) -> Answer:
    """The application's answer; the visit knows afterwards what it found. Raises what the application raises."""
    environ = environ_of(visit.scope, visit.request.headers, visit.body)
    environ[ARRIVED] = visit.arrived
    environ[KNOWN_TAKEN] = visit.taken
    environ[DECODED_RESERVATION] = visit.reservation
    answer = call(application, environ)
    visit.found = environ.get(FOUND_TAKEN, visit.found)
    visit.held_up = environ.get(SEATS_BUSY, False)
    return answer


def answer_of(application: Application, visit: PendingRequest) -> Answer:
    """As `serve`; INTERNAL_ERROR, and a line in the log, for what the application raises."""
    visit.began = perf_counter()
    try:
        return serve(application, visit)
    except Exception:
        _log.exception("front.application_failed")
        return application.gateway_responses.broken(visit.request)


def call(application: Callable[..., Iterable[bytes]], environ: dict[str, Any]) -> Answer:
    """The whole answer. Raises what the application raises."""
    begun: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Callable[..., Any]:
        begun[:] = [int(status[:3]), headers]
        return _refuse_to_write

    parts = application(environ, start_response)
    try:
        body = b"".join(parts)
    finally:
        close = getattr(parts, "close", None)
        if close is not None:
            close()
    status, headers = begun
    return status, headers, body


def _refuse_to_write(_: bytes) -> None:
    raise NotImplementedError("write() is not offered: return the body")
