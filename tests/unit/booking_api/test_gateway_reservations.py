"""Reservations that do not pass through Flask: what is understood, and that the answers are the route's."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from prometheus_client import CollectorRegistry
from structlog.contextvars import get_contextvars

from booking_api.app import BookingApi, create_app
from booking_api.auth.keys import FixedKeys
from booking_api.auth.verifier import TokenVerifier
from booking_api.http.access_log import AccessLog
from booking_api.http.errors import STATUS
from booking_api.http.metrics import OUTCOMES
from booking_api.service import Service
from booking_core import (
    BookingError,
    BusUnavailable,
    CatalogCache,
    CatalogUnavailable,
    CommitOutcomeUnknown,
    EventNotFound,
    EventNotOnSale,
    IdempotencyInProgress,
    IdempotencyKeyReused,
    PendingLimitReached,
    ReplayedResponse,
    SeatAlreadyReserved,
    SeatNotFound,
    ServiceBusy,
    TooManySeats,
)
from booking_dev.tokens import DevTokens
from booking_memory.store import MemoryStore
from booking_telemetry.otel import traceparent_of
from tests.support.doors import Answer, answered, counted, through_flask, understood

ISSUER, AUDIENCE, ORIGIN = "https://issuer.test/", "booking", "https://shop.example.com"
EVENT, SEAT, OTHER = (UUID(f"018f2b6a-7c1d-7e3a-9b4c-5d6e7f80910{number}") for number in range(3))
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
BODY = json.dumps({"eventId": str(EVENT), "seatIds": [str(SEAT)]}).encode()

OF_RESERVATIONS: list[Exception] = [
    TooManySeats(),
    EventNotFound(),
    EventNotOnSale(),
    SeatNotFound.of([SEAT]),
    PendingLimitReached(),
    SeatAlreadyReserved.of([SEAT, OTHER]),
    IdempotencyKeyReused(),
    IdempotencyInProgress(),
    ServiceBusy("a lock"),
    CatalogUnavailable("connection to 10.1.2.3\nrefused"),
    CommitOutcomeUnknown(),
    BusUnavailable(),
    BookingError("a bug"),
    KeyError("a bug"),
]
BEFORE_A_RESERVATION = {"CREATED", "REPLAYED", "UNAUTHENTICATED", "VALIDATION_FAILED", "PAYLOAD_TOO_LARGE"}


class KeysInMemory(FixedKeys):
    """Keys that fail the test if a caller might wait for them."""

    def key(self, kid: str) -> RSAPublicKey:
        raise AssertionError("the event loop would wait")


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> DevTokens:
    return DevTokens(tmp_path_factory.mktemp("issuer"), ISSUER, AUDIENCE)


@pytest.fixture
def headers(issuer: DevTokens) -> dict[str, str]:
    return {"authorization": f"Bearer {issuer.sign('ann')}", "x-correlation-id": "c-1", "origin": ORIGIN}


def app_of(issuer: DevTokens, keys: type[FixedKeys] = FixedKeys) -> BookingApi:
    store = MemoryStore()
    service = Service(
        store=store,
        catalog_cache=CatalogCache(store=store, catalog=None, later=lambda work: None),
        registry=CollectorRegistry(),
        cors_origins=(ORIGIN,),
        pseudonym_key=b"k",
    )
    return create_app(service, TokenVerifier(issuer=ISSUER, audience=AUDIENCE, keys=keys(issuer.jwks())))


@pytest.fixture
def app(issuer: DevTokens) -> BookingApi:
    return app_of(issuer)


def reserving_raises(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr("booking_api.routes.reservations.reserve", fail)


def at_gateway(app: BookingApi, headers: Mapping[str, str], outcome: Any) -> Answer:
    reservation = understood(app, headers, BODY)
    assert reservation is not None
    return answered(app, reservation, outcome)


@pytest.mark.parametrize("error", OF_RESERVATIONS, ids=lambda error: type(error).__name__)
def test_an_error_is_answered_logged_and_counted_as_by_the_route(
    issuer: DevTokens, headers: dict[str, str], error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    routed, early = app_of(issuer), app_of(issuer)
    reserving_raises(error, monkeypatch)

    expected = through_flask(routed, headers, BODY)

    assert expected.status >= 400
    assert at_gateway(early, headers, error) == expected
    assert counted(early) == counted(routed)


def test_the_errors_of_these_tests_are_all_that_a_reservation_has(
    app: BookingApi, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = {json.loads(at_gateway(app, headers, error).body)["error"]["code"] for error in OF_RESERVATIONS}

    assert codes == set(OUTCOMES) - BEFORE_A_RESERVATION
    assert codes <= set(STATUS)


def test_an_unexpected_error_is_logged_with_its_traceback(app: BookingApi, headers: dict[str, str]) -> None:
    surprise = KeyError("surprise")

    failed, line = at_gateway(app, headers, surprise).log

    assert (failed["event"], failed["route"], failed["correlation_id"]) == ("request.failed", "/api/v1/bookings", "c-1")
    assert failed["exc_info"][1] is surprise
    assert (line["status"], line["log_level"]) == (500, "error")


def test_a_bug_in_the_rendering_is_answered_like_any_other(
    issuer: DevTokens, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = at_gateway(app_of(issuer), headers, ReplayedResponse(text="\ud800"))

    assert answer.status == 500
    assert [line["event"] for line in answer.log] == ["request.failed", "request"]


@pytest.mark.parametrize(
    "changed",
    [
        {"authorization": None},
        {"authorization": "Bearer not.a.token"},
        {"authorization": "\ufffd"},
        {"content-type": "text/plain"},
        {"idempotency-key": ""},
        {"idempotency-key": "x" * 256},
    ],
)
def test_what_is_refused_before_the_command_is_left_to_the_application(
    app: BookingApi, headers: dict[str, str], changed: dict[str, str | None]
) -> None:
    sent = {name: text for name, text in (headers | changed).items() if text is not None}

    assert understood(app, headers, BODY) is not None
    assert understood(app, sent, BODY) is None
    assert through_flask(app, sent, BODY).status in (400, 401)


@pytest.mark.parametrize("seats", [[], [SEAT, SEAT]])
def test_an_impossible_command_is_left_to_the_application(
    app: BookingApi, headers: dict[str, str], seats: list[UUID]
) -> None:
    body = json.dumps({"eventId": str(EVENT), "seatIds": list(map(str, seats))}).encode()

    assert understood(app, headers, body) is None


def test_a_new_token_is_understood_if_its_key_is_in_memory(issuer: DevTokens, headers: dict[str, str]) -> None:
    app = app_of(issuer, KeysInMemory)

    reservation = understood(app, headers, BODY)

    assert reservation is not None
    assert reservation.reservation.command.user_id == "ann"
    assert reservation.reservation.command.correlation_id == "c-1"
    assert reservation.reservation.traceparent is None


def test_a_token_whose_key_would_have_to_be_fetched_is_left_to_the_application(
    issuer: DevTokens, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = app_of(issuer, KeysInMemory)
    monkeypatch.setattr(KeysInMemory, "current", lambda *_: None)

    assert understood(app, headers, BODY) is None


def test_the_wait_for_the_group_is_a_metric(app: BookingApi, headers: dict[str, str]) -> None:
    reservation = understood(app, headers, BODY)
    assert reservation is not None

    app.gateway_reservations.response(reservation, ServiceBusy(), started=reservation.request.arrived + 0.3)

    lines = app.test_client().get("/metrics").text
    assert 'booking_front_wait_seconds_bucket{le="0.25"} 0.0' in lines
    assert 'booking_front_wait_seconds_bucket{le="0.5"} 1.0' in lines


class TestSpans:
    """The gateway's spans are those that the application would have made."""

    @pytest.fixture
    def spans(self) -> InMemorySpanExporter:
        return InMemorySpanExporter()

    @pytest.fixture
    def traced(self, issuer: DevTokens, spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> BookingApi:
        return self.app(issuer, TracerProvider(), spans, monkeypatch)

    def app(
        self,
        issuer: DevTokens,
        provider: TracerProvider,
        spans: InMemorySpanExporter,
        monkeypatch: pytest.MonkeyPatch,
    ) -> BookingApi:
        """An application of a process with this provider."""
        provider.add_span_processor(SimpleSpanProcessor(spans))
        monkeypatch.setattr("booking_api.app.tracer_provider", lambda: provider)
        return app_of(issuer)

    @pytest.mark.parametrize("error", [SeatAlreadyReserved.of([SEAT]), ServiceBusy(), KeyError()], ids=repr)
    def test_the_span_is_that_of_the_route(
        self,
        traced: BookingApi,
        spans: InMemorySpanExporter,
        headers: dict[str, str],
        error: Exception,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        reserving_raises(error, monkeypatch)
        sent = headers | {"traceparent": CALLER}

        at_gateway(traced, sent, error)
        through_flask(traced, sent, BODY)

        early, routed = spans.get_finished_spans()
        assert early.name == "POST /api/v1/bookings"
        assert described(early) == described(routed)
        assert early.parent is not None
        assert f"{early.parent.trace_id:032x}-{early.parent.span_id:016x}" in CALLER

    def test_it_begins_with_the_request_and_its_changes_belong_to_it(
        self, traced: BookingApi, spans: InMemorySpanExporter, headers: dict[str, str]
    ) -> None:
        reservation = understood(traced, headers, BODY, ago=5.0)
        assert reservation is not None
        traceparent = reservation.reservation.traceparent

        answered(traced, reservation, ServiceBusy())

        [span] = spans.get_finished_spans()
        assert span.context is not None
        assert traceparent == traceparent_of(span.context)
        assert span.start_time is not None
        assert span.end_time is not None
        assert 5.0 <= (span.end_time - span.start_time) / 1e9 < 60

    def test_the_log_names_the_trace(
        self, traced: BookingApi, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[object] = []
        monkeypatch.setattr(AccessLog, "record", lambda *_: seen.append(get_contextvars().get("trace_id")))

        at_gateway(traced, headers | {"traceparent": CALLER}, ServiceBusy())

        assert seen == [CALLER.split("-")[1]]
        assert "trace_id" not in get_contextvars()

    def test_the_application_goes_on_with_the_span_of_a_deferred_reservation(
        self, traced: BookingApi, spans: InMemorySpanExporter, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reserving_raises(SeatAlreadyReserved.of([SEAT]), monkeypatch)
        reservation = understood(traced, headers, BODY)
        assert reservation is not None

        through_flask(traced, headers, BODY, environ=traced.gateway_reservations.deferred(reservation))

        [span] = spans.get_finished_spans()
        assert reservation.span is not None
        assert span.context == reservation.span.span.get_span_context()
        assert (span.attributes or {})["error.type"] == "SEAT_ALREADY_RESERVED"

    def test_a_group_has_a_span_in_the_trace_of_its_first_member_linked_to_all(
        self, traced: BookingApi, spans: InMemorySpanExporter, headers: dict[str, str]
    ) -> None:
        members = [each for each in (understood(traced, headers, BODY) for _ in range(3)) if each is not None]

        with traced.gateway_reservations.group_span(members):
            assert spans.get_finished_spans() == ()
        with pytest.raises(ServiceBusy), traced.gateway_reservations.group_span(members[:1]):
            raise ServiceBusy("SELECT secret")

        group, failed = spans.get_finished_spans()
        contexts = [each.span.span.get_span_context() for each in members if each.span is not None]
        assert (group.name, group.kind.name) == ("reserve group", "CLIENT")
        assert dict(group.attributes or {}) == {"booking.group_size": 3}
        assert [link.context for link in group.links] == contexts
        assert group.parent == contexts[0]
        assert not failed.status.is_ok
        assert "secret" not in failed.to_json()

    def test_what_is_not_sampled_has_no_spans_and_leaves_no_trace(
        self, issuer: DevTokens, spans: InMemorySpanExporter, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        app = self.app(issuer, TracerProvider(sampler=ALWAYS_OFF), spans, monkeypatch)
        reservation = understood(app, headers, BODY)
        assert reservation is not None
        assert reservation.reservation.traceparent is None

        with app.gateway_reservations.group_span([reservation]):
            answer = answered(app, reservation, ServiceBusy())

        assert answer.status == 503
        assert spans.get_finished_spans() == ()

    def test_without_a_provider_nothing_is_traced(self, app: BookingApi, headers: dict[str, str]) -> None:
        reservation = understood(app, headers | {"traceparent": CALLER}, BODY)
        assert reservation is not None

        with app.gateway_reservations.group_span([reservation]):
            assert reservation.reservation.traceparent is None
        assert app.gateway_reservations.deferred(reservation) == {}


def described(span: ReadableSpan) -> tuple[Any, ...]:
    return span.name, span.kind, dict(span.attributes or {}), span.status.status_code, span.events, span.parent
