"""The API's figures: what is counted where, and that the list of figures is what is really shown."""

from collections.abc import Callable, Sequence
from json import dumps
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import UUID

import pytest
from attrs import define, evolve
from flask.testing import FlaskClient
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from booking_api.app import BookingApi, create_app
from booking_api.auth.keys import FixedKeys
from booking_api.auth.verifier import TokenVerifier
from booking_api.gateway_responses import GatewayRequest
from booking_api.http import access_log
from booking_api.http.errors import STATUS
from booking_api.http.flask_app import ARRIVED
from booking_api.http.metrics import OUTCOMES, HttpMetrics
from booking_api.openapi.document import document
from booking_api.openapi.error_responses import schema_name
from booking_api.routes.bookings import BOOKINGS
from booking_api.service import Service
from booking_core import CatalogCache, Seat, TicketedEvent
from booking_core.ports import ConnectionUse
from booking_dev.tokens import DevTokens
from booking_memory.store import MemoryStore
from booking_server.gateway.groups import GroupMetrics
from booking_telemetry import metric_specs
from booking_telemetry.metric_specs import METRIC_SPECS, Kind
from booking_telemetry.pool_metrics import PoolMetrics
from tests.support.api import AUDIENCE, ISSUER

Seen = dict[tuple[str, tuple[tuple[str, str], ...]], float]
USE = ConnectionUse(most=6, used_seconds=1.5, waits=2, waited_seconds=0.25, refused=1)


class Lender(MemoryStore):
    """A store that says how its connections are used."""

    def __init__(self) -> None:
        super().__init__()
        self.use, self.asked = USE, 0
        self.upkeep.connection_use = self._connection_use  # type: ignore[method-assign, assignment]

    def _connection_use(self) -> ConnectionUse:
        self.asked += 1
        return self.use


@define
class Cut:
    """A catalog behind a breaker."""

    breaker_state: str | None = "closed"

    def event(self, event_id: UUID) -> TicketedEvent | None:
        return None

    def seats(self, event: TicketedEvent, seat_ids: Any = None) -> Sequence[Seat] | None:
        return None

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def store() -> Lender:
    return Lender()


@pytest.fixture
def catalog() -> Cut:
    return Cut()


@pytest.fixture
def app(store: Lender, catalog: Cut, tmp_path: Path) -> BookingApi:
    issuer = DevTokens(tmp_path, ISSUER, AUDIENCE)
    verifier = TokenVerifier(issuer=ISSUER, audience=AUDIENCE, keys=FixedKeys(issuer.jwks()))
    return create_app(Service(store=store, catalog_cache=CatalogCache(store=store, catalog=catalog)), verifier)


@pytest.fixture
def client(app: BookingApi) -> FlaskClient:
    return app.test_client()


def seen_in(text: str) -> Seen:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def shown(client: FlaskClient) -> Seen:
    return seen_in(client.get("/metrics").text)


def arrived() -> GatewayRequest:
    return GatewayRequest("POST", {}, monotonic())


def test_what_never_reaches_the_application_is_counted_by_what_it_was_told(
    app: BookingApi, client: FlaskClient
) -> None:
    for _ in range(2):
        app.gateway_responses.busy(arrived())
    app.gateway_responses.late_body(arrived())
    app.gateway_responses.bad_host(arrived())
    app.gateway_responses.broken(arrived())
    app.gateway_responses.stopping(GatewayRequest("GET", {}, monotonic()))

    found = shown(client)

    assert {
        labels[0][1]: value for (name, labels), value in found.items() if name == metric_specs.GATEWAY_RESPONSES.name
    } == {
        "busy": 2,
        "taken": 0,
        "late_body": 1,
        "bad_host": 1,
        "broken": 1,
        "stopping": 1,
    }
    busy = (("code", "SERVICE_BUSY"), ("method", "POST"), ("route", ""), ("status", "503"))
    assert found[metric_specs.REQUESTS.name, busy] == 2, "and among the requests"


def test_waiting_for_the_application_counts_where_a_server_in_front_said_when(client: FlaskClient) -> None:
    client.get("/healthz")
    client.get("/healthz", environ_overrides={ARRIVED: monotonic() - 0.3})

    found = shown(client)

    assert found[f"{metric_specs.QUEUE_WAITS.name}_count", ()] == 1
    assert 0.3 <= found[f"{metric_specs.QUEUE_WAITS.name}_sum", ()] < 5
    assert found[f"{metric_specs.QUEUE_WAITS.name}_bucket", (("le", "0.25"),)] == 0


def test_the_limits_of_the_promises_are_limits_of_buckets() -> None:
    assert {0.1, 0.25, 0.5} <= set(metric_specs.REQUEST_SECONDS.buckets)


def test_what_the_parts_say_is_shown_as_it_is_now(store: Lender, catalog: Cut, client: FlaskClient) -> None:
    names = (
        metric_specs.CONNECTIONS,
        metric_specs.CONNECTION_SECONDS,
        metric_specs.CONNECTION_WAITS,
        metric_specs.CONNECTION_WAIT_SECONDS,
        metric_specs.CONNECTIONS_REFUSED,
        metric_specs.BREAKER,
    )
    first = shown(client)
    store.use = evolve(USE, used_seconds=2.5, waits=7, waited_seconds=0.75, refused=3)
    catalog.breaker_state = "half-open"
    second = shown(client)
    catalog.breaker_state = "closed"

    assert [first[each.name, ()] for each in names] == [6, 1.5, 2, 0.25, 1, 0]
    assert [second[each.name, ()] for each in names] == [6, 2.5, 7, 0.75, 3, 1]
    assert shown(client)[metric_specs.BREAKER.name, ()] == 0


def test_a_response_refreshes_the_metrics_at_most_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    refreshed: list[float] = []
    monkeypatch.setattr(access_log, "monotonic", lambda: now)
    metrics = HttpMetrics(CollectorRegistry(), lambda: refreshed.append(now))
    log = access_log.AccessLog(metrics, b"key")
    response = access_log.ResponseRecord(method="GET", route="", status=404, seconds=0.01, correlation_id="c")

    for moment in (100.0, 100.5, 100.9, 101.0, 101.5, 102.5):
        now = moment
        log.count(response)

    assert refreshed == [100.0, 101.0, 102.5]


def test_parts_that_say_nothing_have_no_figures() -> None:
    registry = CollectorRegistry()
    PoolMetrics(MemoryStore(), None, registry)

    assert generate_latest(registry) == b""


def names_of(text: str) -> set[str]:
    families = list(text_string_to_metric_families(text))
    # Beside each of its own the client shows when it was made, where figures are those of one process.
    families = [each for each in families if not each.name.endswith("_created")]
    return {each.name + ("_total" if each.type == "counter" else "") for each in families}


def test_the_list_is_what_serve_shows(client: FlaskClient) -> None:

    groups = CollectorRegistry()
    GroupMetrics(groups)

    listed = {each.name for each in METRIC_SPECS if "serve" in each.of}
    assert names_of(client.get("/metrics").text) | names_of(generate_latest(groups).decode()) == listed


def test_what_has_not_happened_yet_is_shown_as_0(client: FlaskClient) -> None:
    """A rate does not see the first event of a figure that appears with it."""
    first = shown(client)

    def requests(method: str, route: str, status: int, code: str) -> float | None:
        labels = (("code", code), ("method", method), ("route", route), ("status", str(status)))
        return first.get((metric_specs.REQUESTS.name, labels))

    booking = f"{BOOKINGS}/<booking_id>"
    for method, route, status in (
        ("POST", BOOKINGS, 201),
        ("GET", booking, 200),
        ("DELETE", booking, 200),
        ("POST", "/api/v1/events/<event_id>/cancel", 202),
    ):
        assert requests(method, route, status, "") == 0
        assert first[f"{metric_specs.REQUEST_SECONDS.name}_count", (("method", method), ("route", route))] == 0
    for route in (BOOKINGS, booking, ""):
        assert requests("GET" if route == booking else "POST", route, 500, "INTERNAL_ERROR") == 0
        assert requests("GET" if route == booking else "POST", route, 503, "SERVICE_BUSY") == 0
    assert first[metric_specs.RESERVATIONS.name, (("outcome", "CREATED"),)] == 0
    assert first[metric_specs.GATEWAY_RESPONSES.name, (("answer", "busy"),)] == 0


def test_the_outcomes_shown_from_the_start_are_those_of_reservations() -> None:
    """Every code of the description of that route, and the two successes."""
    answers = dumps(document()["paths"][BOOKINGS]["post"]["responses"])
    described = {code for code in STATUS if f'/{schema_name(code)}"' in answers}

    assert set(OUTCOMES) - {"CREATED", "REPLAYED"} == described


def test_a_process_looks_at_its_parts_before_its_first_request(app: BookingApi, store: Lender) -> None:
    """What it has in files is there for the others, and nobody asks it for more."""
    assert store.asked == 2, "once for whether there is a pool, and once for its counters"


def test_names_follow_the_conventions() -> None:
    for each in METRIC_SPECS:
        assert each.name.startswith("booking_")
        assert each.name.endswith("_total") is (each.kind is Kind.COUNTER)
        assert bool(each.buckets) is (each.kind is Kind.HISTOGRAM)
        assert "job" not in each.labels, "Prometheus keeps that for itself"
        assert each.help[0].isupper()
    assert len({each.name for each in METRIC_SPECS}) == len(METRIC_SPECS)


@pytest.mark.parametrize("count", [1, 3])
def test_a_child_is_found_once(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from booking_api.http.metrics import HttpMetrics

    metrics = HttpMetrics(CollectorRegistry())
    made: list[tuple[str, ...]] = []
    children: Any = metrics.requests
    make: Callable[..., Any] = children._make

    def spy(*labels: str) -> Any:
        made.append(labels)
        return make(*labels)

    monkeypatch.setattr(children, "_make", spy)

    for _ in range(count):
        metrics.requests["GET", "/x", "200", ""].inc()

    assert made == [("GET", "/x", "200", "")]
