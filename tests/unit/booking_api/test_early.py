"""Answers that no route gives: they look as if one had."""

import json
from typing import Any, NoReturn

import pytest
from prometheus_client import CollectorRegistry

from booking_api.app import BookingApi, create_app
from booking_api.early import EarlyAnswer
from booking_api.service import Service
from booking_api.tokens import TokenVerifier
from booking_core import CatalogMirror, ServiceBusy
from booking_memory.store import MemoryStore

ORIGIN = "https://shop.example.com"
HEADERS = {"x-correlation-id": "c-1", "origin": ORIGIN}


class _NoKeys:
    def key_for(self, *_: object) -> NoReturn:
        raise AssertionError("no token is verified here")


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def app(registry: CollectorRegistry) -> BookingApi:
    store = MemoryStore()
    mirror = CatalogMirror(store=store, catalog=None, later=lambda work: None)
    service = Service(store=store, mirror=mirror, registry=registry, cors_origins=(ORIGIN,))
    keys: Any = _NoKeys()
    return create_app(service, TokenVerifier(issuer="i", audience="a", keys=keys))


def test_busy_is_what_a_route_would_say(app: BookingApi, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object) -> NoReturn:
        raise ServiceBusy()

    monkeypatch.setitem(app.view_functions, "healthz", busy)
    routed = app.test_client().get("/healthz", headers=HEADERS)

    status, headers, body = app.early.busy("GET", HEADERS, 0.1)

    assert (status, body) == (routed.status_code, routed.data)
    assert sorted((name.title(), text) for name, text in headers) == sorted(
        (name.title(), text) for name, text in routed.headers
    )


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [("busy", 503, "SERVICE_BUSY"), ("late_body", 400, "VALIDATION_FAILED"), ("broken", 500, "INTERNAL_ERROR")],
)
def test_each_is_counted_and_has_the_envelope(
    app: BookingApi, registry: CollectorRegistry, name: str, status: int, code: str
) -> None:
    answer: EarlyAnswer = getattr(app.early, name)("BREW", HEADERS, 0.1)

    assert answer[0] == status
    assert json.loads(answer[2])["error"]["code"] == code
    assert dict(answer[1])["X-Correlation-Id"] == "c-1"
    labels = {"method": "OTHER", "route": "", "status": str(status), "code": code}
    assert registry.get_sample_value("booking_http_requests_total", labels) == 1


def test_a_body_that_came_too_late_is_not_taken_for_the_next_request(app: BookingApi) -> None:
    assert ("Connection", "close") in app.early.late_body("POST", {}, 10.0)[1]
