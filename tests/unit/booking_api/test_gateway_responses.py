"""Answers that no route gives: they look as if one had."""

import json
from time import monotonic
from typing import NoReturn
from uuid import UUID

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from booking_api.app import BookingApi, create_app
from booking_api.auth.keys import FixedKeys
from booking_api.auth.verifier import TokenVerifier
from booking_api.gateway_responses import Follower, GatewayRequest, GatewayResponse
from booking_api.http.bodies import decode_create_booking
from booking_api.http.flask_app import KNOWN_TAKEN
from booking_api.service import Service
from booking_core import CatalogCache, IdempotencyKey, ServiceBusy
from booking_dev.tokens import DevTokens
from booking_memory.store import MemoryStore

ORIGIN = "https://shop.example.com"
HEADERS = {"x-correlation-id": "c-1", "origin": ORIGIN}


ISSUER, AUDIENCE = "https://issuer.test/", "booking"
EVENT, SEAT, OTHER = (UUID(f"018f2b6a-7c1d-7e3a-9b4c-5d6e7f80910{number}") for number in range(3))


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> DevTokens:
    return DevTokens(tmp_path_factory.mktemp("issuer"), ISSUER, AUDIENCE)


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def app(registry: CollectorRegistry, issuer: DevTokens, store: MemoryStore) -> BookingApi:
    catalog_cache = CatalogCache(store=store, catalog=None, later=lambda work: None)
    service = Service(store=store, catalog_cache=catalog_cache, registry=registry, cors_origins=(ORIGIN,))
    return create_app(service, TokenVerifier(issuer=ISSUER, audience=AUDIENCE, keys=FixedKeys(issuer.jwks())))


def same(early: GatewayResponse | None, routed: TestResponse) -> bool:
    assert early is not None
    status, headers, body = early
    assert (status, headers, body) == (routed.status_code, list(routed.headers), routed.data)
    return True


def test_busy_is_what_a_route_would_say(app: BookingApi, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object) -> NoReturn:
        raise ServiceBusy()

    monkeypatch.setitem(app.view_functions, "healthz", busy)
    routed = app.test_client().get("/healthz", headers=HEADERS)

    assert same(app.gateway_responses.busy(GatewayRequest("GET", HEADERS, monotonic())), routed)


def order(*seats: UUID, **more: object) -> bytes:
    return json.dumps({"eventId": str(EVENT), "seatIds": [str(seat) for seat in seats], **more}).encode()


def follower(request: GatewayRequest, body: bytes, *taken: UUID) -> Follower:
    decoded = decode_create_booking(body)
    assert decoded is not None
    return Follower(request, decoded, frozenset(taken))


def test_taken_is_what_the_route_would_say(app: BookingApi, registry: CollectorRegistry, issuer: DevTokens) -> None:
    headers = {**HEADERS, "authorization": f"Bearer {issuer.sign('ann')}", "content-type": "application/json"}
    request, body = GatewayRequest("POST", headers, monotonic()), order(SEAT, OTHER)

    with capture_logs() as lines:
        routed = app.test_client().post(
            "/api/v1/bookings", data=body, headers=headers, environ_overrides={KNOWN_TAKEN: frozenset({OTHER, EVENT})}
        )
        early = app.gateway_responses.taken(follower(request, body, OTHER, EVENT))

    assert same(early, routed)
    assert routed.json is not None
    assert routed.json["error"]["details"] == {"unavailableSeatIds": [str(OTHER)]}
    first, second = ({**line, "duration_ms": 0} for line in lines)
    assert first == second
    assert registry.get_sample_value("booking_reservations_total", {"outcome": "SEAT_ALREADY_RESERVED"}) == 2


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/plain", order(SEAT)),
        ("application/json", b"{"),
        ("application/json", order(SEAT, extra=1)),
        ("application/json", order()),
        ("application/json", order(SEAT, SEAT)),
        ("application/json", order(SEAT).replace(b"-", b"")),
    ],
)
def test_what_may_be_wrong_is_left_to_the_application(
    app: BookingApi, issuer: DevTokens, content_type: str, body: bytes
) -> None:
    headers = {"authorization": f"Bearer {issuer.sign('ann')}", "content-type": content_type}
    request = GatewayRequest("POST", headers, monotonic())
    app.test_client().get("/api/v1/events", headers=headers)
    valid = GatewayRequest("POST", headers | {"content-type": "application/json"}, 0.0)
    assert app.gateway_responses.taken(follower(valid, order(SEAT), SEAT))

    decoded = decode_create_booking(body)

    assert decoded is None or app.gateway_responses.taken(Follower(request, decoded, frozenset({SEAT}))) is None


def test_nobody_is_told_before_the_token_was_verified(app: BookingApi, issuer: DevTokens) -> None:
    headers = {"authorization": f"Bearer {issuer.sign('bob')}"}

    assert (
        app.gateway_responses.taken(follower(GatewayRequest("POST", headers, monotonic()), order(SEAT), SEAT)) is None
    )


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("busy", 503, "SERVICE_BUSY"),
        ("late_body", 400, "VALIDATION_FAILED"),
        ("bad_host", 400, "VALIDATION_FAILED"),
        ("broken", 500, "INTERNAL_ERROR"),
    ],
)
def test_each_is_counted_and_has_the_envelope(
    app: BookingApi, registry: CollectorRegistry, name: str, status: int, code: str
) -> None:
    answer: GatewayResponse = getattr(app.gateway_responses, name)(GatewayRequest("BREW", HEADERS, monotonic()))

    assert answer[0] == status
    assert json.loads(answer[2])["error"]["code"] == code
    assert dict(answer[1])["X-Correlation-Id"] == "c-1"
    labels = {"method": "OTHER", "route": "", "status": str(status), "code": code}
    assert registry.get_sample_value("booking_http_requests_total", labels) == 1


def test_a_body_that_came_too_late_is_not_taken_for_the_next_request(app: BookingApi) -> None:
    assert ("Connection", "close") in app.gateway_responses.late_body(GatewayRequest("POST", {}, monotonic()))[1]


class TestAfterALook:
    """The same for those who may be repeating themselves, and for strangers."""

    @pytest.fixture
    def headers(self, app: BookingApi, issuer: DevTokens) -> dict[str, str]:
        """Ann's, whose token was seen before."""
        headers = {**HEADERS, "authorization": f"Bearer {issuer.sign('ann')}", "content-type": "application/json"}
        app.test_client().get("/api/v1/events", headers=headers)
        return headers

    def follower(self, headers: dict[str, str], key: str = "k", body: bytes | None = None) -> Follower:
        request = GatewayRequest("POST", headers | {"idempotency-key": key}, monotonic())
        return follower(request, body or order(SEAT, OTHER), OTHER)

    def keep(self, store: MemoryStore, user: str, key: str) -> None:
        kept = IdempotencyKey(user_id=user, operation="POST /api/v1/bookings", key=key, fingerprint="whatever")
        with store.unit_of_work() as uow:
            uow.responses.claim(kept)
            uow.responses.keep(kept, "answer")
            uow.commit()

    def test_who_can_not_have_been_answered_hears_what_others_hear(
        self, app: BookingApi, headers: dict[str, str]
    ) -> None:
        routed = app.test_client().post(
            "/api/v1/bookings",
            data=order(SEAT, OTHER),
            headers=headers,
            environ_overrides={KNOWN_TAKEN: frozenset({OTHER})},
        )

        assert same(app.gateway_responses.taken_after_queries([self.follower(headers)])[0], routed)

    def test_whoever_may_have_been_answered_asks_the_application(
        self, app: BookingApi, store: MemoryStore, issuer: DevTokens, headers: dict[str, str]
    ) -> None:
        self.keep(store, "ann", "kept")
        self.keep(store, "bob", "of another")
        asked = [
            self.follower(headers, "kept"),
            self.follower(headers, "of another"),
            self.follower(headers, "kept", order(SEAT)),
            self.follower(headers, "new"),
            self.follower(headers, "x" * 256),
            self.follower(headers, "new", order(SEAT, SEAT)),
            self.follower(headers | {"authorization": f"Bearer {issuer.sign('stranger')}"}, "kept"),
            self.follower(headers | {"authorization": "Bearer not.a.token"}, "new"),
        ]

        answers = app.gateway_responses.taken_after_queries(asked)

        assert [answer and answer[0] for answer in answers] == [None, 409, None, 409, None, None, 409, None]

    def test_one_with_a_key_is_not_told_without_a_look(self, app: BookingApi, headers: dict[str, str]) -> None:
        waiting = self.follower(headers)

        assert app.gateway_responses.taken(waiting) is None

    def test_all_are_told_to_come_again_if_the_store_is_busy(
        self, app: BookingApi, store: MemoryStore, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def busy(*_: object) -> NoReturn:
            raise ServiceBusy()

        monkeypatch.setattr("booking_memory.reads.MemoryReads.stored_responses", busy)
        answers = app.gateway_responses.taken_after_queries([self.follower(headers), self.follower(headers, "x" * 256)])

        assert [answer and answer[0] for answer in answers] == [503, 503]

    def test_a_stranger_is_known_from_then_on(self, app: BookingApi, issuer: DevTokens) -> None:
        headers = {"authorization": f"Bearer {issuer.sign('eve')}"}
        waiting = follower(GatewayRequest("POST", headers, monotonic()), order(SEAT), SEAT)
        assert app.gateway_responses.taken(waiting) is None

        [answer] = app.gateway_responses.taken_after_queries([waiting])

        assert answer is not None
        assert answer[0] == 409
        assert app.gateway_responses.taken(waiting) is not None
