"""The front as granian calls it."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from attrs import define, field

from booking_server.gateway import Gateway
from booking_server.gateway.admission_queue import AdmissionQueue
from tests.unit.booking_server.gateway.admission_stage import Application
from tests.unit.booking_server.gateway.test_wsgi import Scope


class Headers(dict[str, str]):
    """granian's."""


@define
class Asked(Scope):
    headers: Headers = field(factory=Headers)


@define
class Protocol:
    """granian's, of one request; what was answered is kept."""

    body: bytes = b""
    answered: list[tuple[int, Any, bytes]] = field(factory=list)

    def response_bytes(self, status: int, headers: Any, body: bytes) -> None:
        self.answered.append((status, headers, body))

    async def __call__(self) -> bytes:
        return self.body


def answers_to(
    application: Application, path: str, times: int = 1, method: str = "GET", body: bytes = b""
) -> list[tuple[int, Any, bytes]]:
    async def ask() -> list[tuple[int, Any, bytes]]:
        front, protocol = Gateway(application, 1), Protocol(body=body)
        headers = Headers({"content-length": str(len(body))})
        front.__rsgi_init__(asyncio.get_running_loop())
        for _ in range(times):
            await asyncio.wait_for(front.__rsgi__(Asked(method=method, path=path, headers=headers), protocol), 5)
        return protocol.answered

    return asyncio.run(ask())


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/api/v1/events"])
def test_what_the_application_raises_is_answered_in_the_envelope(path: str) -> None:
    application = Application()
    application.broken = True

    for status, headers, body in answers_to(application, path, times=2):
        assert (status, json.loads(body)["error"]["code"]) == (500, "INTERNAL_ERROR")
        assert dict(headers)["Content-Type"] == "application/json"


@pytest.mark.parametrize("path", ["/healthz", "/api/v1/events"])
def test_a_request_is_answered(path: str) -> None:
    assert answers_to(Application(), path) == [(409, [], b"answered")]


def test_a_body_too_deep_to_be_looked_into_is_the_applications_to_refuse() -> None:
    body = b'{"x":' + b"[" * 30_000

    assert answers_to(Application(), "/api/v1/bookings", method="POST", body=body) == [(409, [], b"answered")]


def test_a_mistake_of_the_fronts_own_is_answered_in_the_envelope(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("booking_server.gateway.gateway.reservation_in", lambda *_: 1 / 0)

    [(status, _, body)] = answers_to(Application(), "/api/v1/events")

    assert (status, json.loads(body)["error"]["code"]) == (500, "INTERNAL_ERROR")


@pytest.mark.parametrize(("path", "status"), [("/api/v1/events", 503), ("/api/v1/bookings", 503), ("/healthz", 409)])
def test_when_the_hall_is_full_only_the_probes_are_served(
    path: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AdmissionQueue, "is_full", True)
    application = Application()

    [(answered, _, _)] = answers_to(application, path, method="POST", body=b"{}")

    assert answered == status
    assert len(application.served) == (1 if path == "/healthz" else 0)


def test_whether_it_is_alive_is_answered_by_the_loop_itself() -> None:
    threads = []

    class Noting(Application):
        def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            threads.append(threading.current_thread())
            return super().__call__(environ, start_response)

    for path in ("/healthz", "/readyz", "/api/v1/events"):
        answers_to(Noting(), path)

    assert [thread is threading.main_thread() for thread in threads] == [True, False, False]
