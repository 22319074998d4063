"""One trace from a request through the outbox to the bus, and back from the payment (ADR 0018)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from structlog.contextvars import get_contextvars

from booking_api.http.request_spans import RequestSpans
from booking_core.domain.errors import BusUnavailable, ServiceBusy
from booking_core.domain.values import Terms
from booking_core.ports import Message
from booking_dev.tokens import DevTokens
from booking_workers.consumer import Consumer
from booking_workers.dead_letters import DeadLetters
from booking_workers.message_spans import MessageSpans
from booking_workers.relay import Relay
from tests.support.api import ANN, AUDIENCE, BOOKINGS, ISSUER, Api
from tests.support.workers import EVENT_ID, FailingBus, World, payment, seat_id

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE = CALLER.split("-")[1]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def traced(spans: InMemorySpanExporter) -> TracerProvider:
    """A provider of the test's own: the process goes on without any."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    return provider


@pytest.fixture
def issuer(tmp_path: Path) -> DevTokens:
    return DevTokens(tmp_path, ISSUER, AUDIENCE)


def api_of(world: World, issuer: DevTokens, provider: TracerProvider) -> Api:
    api = Api(world.store, issuer)
    api.client.application.wsgi_app = RequestSpans(  # type: ignore[method-assign]
        api.client.application.wsgi_app, provider
    )
    return api


def reserve(api: Api, number: int, **headers: str) -> UUID:
    body = {"eventId": str(EVENT_ID), "seatIds": [str(seat_id(number))]}
    answer = api.post(BOOKINGS, body, headers=headers)
    assert answer.status_code == 201, answer.text
    return UUID(answer.json["data"]["bookingId"])  # type: ignore[index]


def relay_of(world: World, provider: TracerProvider) -> Relay:
    return Relay(world.store, world.bus, "booking.events", spans=MessageSpans(provider))


def consumer_of(world: World, provider: TracerProvider) -> Consumer:
    return Consumer(
        world.store,
        world.bus,
        topic="payment.events",
        group="g",
        dead_letters=DeadLetters(world.bus, "letters"),
        terms=Terms(),
        spans=MessageSpans(provider),
    )


def trace_headers(world: World) -> list[str | None]:
    return [
        carried.decode() if (carried := dict(each.headers).get("traceparent")) else None
        for each in world.read("booking.events")
    ]


def ids(span: ReadableSpan) -> tuple[str, str, str | None]:
    """Trace, span, and the span it comes from."""
    assert span.context is not None
    parent = f"{span.parent.span_id:016x}" if span.parent else None
    return f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}", parent


def attributes(span: ReadableSpan) -> Mapping[str, Any]:
    return span.attributes or {}


def test_one_trace_from_the_request_to_the_bus_and_back_from_the_payment(
    world: World, issuer: DevTokens, traced: TracerProvider, spans: InMemorySpanExporter
) -> None:
    api, relay, consumer = api_of(world, issuer, traced), relay_of(world, traced), consumer_of(world, traced)

    booking_id = reserve(api, 1, traceparent=CALLER, **{"X-Correlation-Id": "of-the-caller"})
    relay.run_once()
    [created] = trace_headers(world)
    assert created is not None
    # The Payment Service goes on with the trace, and gives its message a correlation id of its own.
    paid = Message(key=b"k", value=payment(booking_id, amount=75.0), headers={"traceparent": created})
    world.bus.publish("payment.events", [paid])
    consumer.run_once()
    relay.run_once()
    [confirmed] = trace_headers(world)

    request, send, process, send_again = spans.get_finished_spans()
    assert [each.name for each in (request, send, process, send_again)] == [
        f"POST {BOOKINGS}",
        "send booking.events",
        "process payment.events",
        "send booking.events",
    ]
    traces, own, parents = zip(*map(ids, (request, send, process, send_again)), strict=True)
    assert set(traces) == {TRACE}
    assert parents == (CALLER.split("-")[2], own[0], own[1], own[2]), "each comes from the one before"
    assert (created, confirmed) == (f"00-{TRACE}-{own[1]}-01", f"00-{TRACE}-{own[3]}-01")
    assert attributes(request)["booking.correlation_id"] == "of-the-caller"
    assert attributes(request)["booking.id"] == attributes(send)["booking.key"] == str(booking_id)
    assert attributes(request)["http.response.status_code"] == 201
    assert attributes(process)["booking.outcome"] == "applied"


def test_without_a_callers_trace_one_begins_here(
    world: World, issuer: DevTokens, traced: TracerProvider, spans: InMemorySpanExporter
) -> None:
    reserve(api_of(world, issuer, traced), 1, traceparent="00-nonsense")
    relay_of(world, traced).run_once()

    request, send = spans.get_finished_spans()
    assert request.parent is None
    assert ids(request)[0] == ids(send)[0]


def test_who_is_not_sampled_pays_nothing_and_nobody_goes_on_with_it(
    world: World, issuer: DevTokens, spans: InMemorySpanExporter
) -> None:
    provider = TracerProvider(sampler=ParentBased(ALWAYS_OFF))
    provider.add_span_processor(SimpleSpanProcessor(spans))

    reserve(api_of(world, issuer, provider), 1, traceparent=CALLER[:-1] + "0")
    reserve(api_of(world, issuer, provider), 2, traceparent=CALLER)
    relay_of(world, provider).run_once()

    sent = sorted(trace_headers(world), key=str)  # two bookings' events come in any order
    assert sent[1] is None
    assert sent[0] is not None
    assert sent[0].split("-")[1] == TRACE, "the caller wants it, whatever we would choose"
    assert len(spans.get_finished_spans()) == 2


def test_messages_are_handled_in_their_order_the_untraced_together(world: World, traced: TracerProvider) -> None:
    """The untraced are those that the sampler does not want."""
    provider = TracerProvider(sampler=ParentBased(ALWAYS_OFF))
    calls: list[list[int]] = []

    def handle(deliveries: Any) -> Any:
        calls.append([each.offset for each in deliveries])
        return [RuntimeError("a bug") if each.offset == 2 else None for each in deliveries]

    for number in range(6):
        headers = {"traceparent": CALLER} if number in (2, 3) else {}
        world.bus.publish("payment.events", [Message(key=b"k", value=b"{}", headers=headers)])
    deliveries = world.read("payment.events")

    verdicts = MessageSpans(provider).handling(handle)(deliveries)

    assert calls == [[0, 1], [2], [3], [4, 5]]
    assert [type(each) for each in verdicts[2:3]] == [RuntimeError]
    assert len(verdicts) == 6


def test_what_fails_is_a_failed_span_and_the_failure_is_raised(
    world: World,
    issuer: DevTokens,
    traced: TracerProvider,
    spans: InMemorySpanExporter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reserve(api_of(world, issuer, traced), 1)
    world.bus = FailingBus()
    world.bus.failures.append(BusUnavailable())
    with pytest.raises(BusUnavailable):
        relay_of(world, traced).run_once()
    letter = Message(key=b"k", value=b"no json")
    world.bus.publish("payment.events", [letter])
    consumer_of(world, traced).run_once()

    def busy(*_: Any, **__: Any) -> Any:
        raise ServiceBusy

    api = api_of(world, issuer, traced)
    monkeypatch.setattr("booking_api.routes.bookings.list_bookings", busy)
    assert api.get(f"{BOOKINGS}/my").status_code == 503

    _, send, process, request = spans.get_finished_spans()
    assert [each.status.is_ok for each in (send, process, request)] == [False, False, False]
    assert attributes(process)["error.type"] == "MALFORMED_MESSAGE"
    assert attributes(request)["error.type"] == "SERVICE_BUSY"


def test_a_span_holds_nothing_that_a_caller_wrote_but_a_correlation_id(
    world: World, issuer: DevTokens, traced: TracerProvider, spans: InMemorySpanExporter
) -> None:
    api = api_of(world, issuer, traced)
    hostile = "evil\nline"

    api.call("SHOUT", "/evil path", headers={"User-Agent": "evil agent", "X-Correlation-Id": "evil id"})
    api.get(f"{BOOKINGS}/evil?token=evil")
    api.get("/healthz", user=None)

    shown = "".join(each.to_json() for each in spans.get_finished_spans())
    assert "evil" not in shown
    assert ANN not in shown
    assert hostile not in shown
    assert [each.name for each in spans.get_finished_spans()] == ["_OTHER", f"GET {BOOKINGS}/<booking_id>"]


def test_what_is_logged_meanwhile_names_the_trace(
    world: World, issuer: DevTokens, traced: TracerProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, Any]] = []
    monkeypatch.setattr("booking_api.routes.bookings.list_bookings", lambda *_, **__: seen.append(get_contextvars()))

    api_of(world, issuer, traced).get(f"{BOOKINGS}/my", headers={"traceparent": CALLER, "X-Correlation-Id": "c-9"})

    assert [{name: each[name] for name in ("trace_id", "correlation_id")} for each in seen] == [
        {"trace_id": TRACE, "correlation_id": "c-9"}
    ]
    assert "trace_id" not in get_contextvars()
