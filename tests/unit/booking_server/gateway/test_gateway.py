"""The gateway as granian calls it."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterable
from ctypes import c_ubyte
from typing import Any

import pytest

from booking_server.gateway import Gateway
from booking_server.gateway.admission_queue import AdmissionLimits, AdmissionQueue
from booking_server.worker_stage import Stage
from tests.support.rsgi import Headers, Protocol, Scope
from tests.unit.booking_server.gateway.admission_fixture import DEFAULT_LIMITS, Application

pytestmark = pytest.mark.leaves_threads("the threads of a pool live as long as the process")


def responses_to(
    application: Application,
    path: str,
    times: int = 1,
    method: str = "GET",
    body: bytes = b"",
    headers: Headers | None = None,
    limits: AdmissionLimits = DEFAULT_LIMITS,
    stage: Stage = Stage.SERVING,
) -> list[tuple[int, Any, bytes]]:
    headers = Headers({"content-length": str(len(body))}) if headers is None else headers

    async def ask() -> list[tuple[int, Any, bytes]]:
        gateway, protocol = Gateway(application, 1, limits=limits, stage=c_ubyte(stage)), Protocol(body=body)
        gateway.__rsgi_init__(asyncio.get_running_loop())
        for _ in range(times):
            await asyncio.wait_for(gateway.__rsgi__(Scope(method=method, path=path, headers=headers), protocol), 5)
        return protocol.responses

    return asyncio.run(ask())


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/api/v1/events"])
def test_an_error_of_the_application_is_answered_in_the_envelope(path: str) -> None:
    application = Application()
    application.broken = True

    for status, headers, body in responses_to(application, path, times=2):
        assert (status, json.loads(body)["error"]["code"]) == (500, "INTERNAL_ERROR")
        assert dict(headers)["Content-Type"] == "application/json"


@pytest.mark.parametrize("path", ["/healthz", "/api/v1/events"])
def test_a_request_is_answered(path: str) -> None:
    assert responses_to(Application(), path) == [(409, [], b"answered")]


@pytest.mark.parametrize(
    ("stage", "ready", "closes"),
    [(Stage.SERVING, 409, False), (Stage.REPLACED, 409, True), (Stage.STOPPING, 503, True), (Stage.ENDING, 503, True)],
)
def test_a_worker_that_ends_closes_connections_and_is_not_ready(stage: Stage, ready: int, closes: bool) -> None:
    for path, expected in (("/readyz", ready), ("/healthz", 409), ("/api/v1/events", 409)):
        [(status, headers, _)] = responses_to(Application(), path, stage=stage)

        assert status == expected
        assert (("Connection", "close") in headers) == closes


def test_a_body_too_deep_to_decode_reaches_the_application() -> None:
    body = b'{"x":' + b"[" * 30_000

    assert responses_to(Application(), "/api/v1/bookings", method="POST", body=body) == [(409, [], b"answered")]


class BrokenHeaders(Headers):
    def __init__(self) -> None:
        dict.__init__(self)  # empty: a traceback in the log shows what it can read

    def get(self, *_: object) -> Any:
        raise KeyError("broken")

    def items(self) -> Any:
        raise KeyError("broken")


@pytest.mark.parametrize("host", [None, "a,b", "a b"])
def test_a_request_of_http_1_1_without_one_valid_host_is_rejected(host: str | None) -> None:
    headers = Headers() if host is None else Headers(host=host)
    if host is None:
        del headers["host"]
    application = Application()

    [(status, sent, body)] = responses_to(application, "/api/v1/events", headers=headers)

    assert (status, json.loads(body)["error"]["code"]) == (400, "VALIDATION_FAILED")
    assert ("Connection", "close") in sent
    assert application.served == []


def test_a_bug_of_the_gateway_is_answered_in_the_envelope() -> None:
    [(status, _, body)] = responses_to(Application(), "/api/v1/events", headers=BrokenHeaders())

    assert (status, json.loads(body)["error"]["code"]) == (500, "INTERNAL_ERROR")


@pytest.mark.parametrize(("path", "status"), [("/api/v1/events", 503), ("/api/v1/bookings", 503), ("/healthz", 409)])
def test_a_full_queue_admits_only_probes(path: str, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AdmissionQueue, "accepts", lambda *_: False)
    application = Application()

    [(answered, _, _)] = responses_to(application, path, method="POST", body=b"{}")

    assert answered == status
    assert len(application.served) == (1 if path == "/healthz" else 0)


def test_the_liveness_probe_runs_on_the_event_loop() -> None:
    threads = []

    class Noting(Application):
        def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            threads.append(threading.current_thread())
            return super().__call__(environ, start_response)

    for path in ("/healthz", "/readyz", "/api/v1/events"):
        responses_to(Noting(), path)

    assert [thread is threading.main_thread() for thread in threads] == [True, False, False]
