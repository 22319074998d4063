"""One trace over three processes and a broker: from the request to its event, and back from the payment (ADR 0018)."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from kafka import KafkaProducer
from kafka.consumer.fetcher import ConsumerRecord

from booking_dev.tokens import DevTokens
from tests.integration.kafka.collector import Collector, Span
from tests.integration.kafka.payment_messages import said
from tests.integration.kafka.service import Service
from tests.support.jwks import Jwks
from tests.support.live import BOOKINGS, Live
from tests.support.processes import running_booking, wait_for_line, wait_until

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE = CALLER.split("-")[1]


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector.running() as collector:
        yield collector


def settings_of(collector: Collector) -> dict[str, str]:
    """A schedule of an hour: so all that is seen was sent at the end of a process."""
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.port}",
        "OTEL_BSP_SCHEDULE_DELAY": "3600000",
        "OTEL_METRICS_EXPORTER": "none",
    }


def carried(record: ConsumerRecord) -> str:
    return dict(record.headers)["traceparent"].decode()


def pay(service: Service, booking_id: object, traceparent: str) -> None:
    """As a Payment Service does that goes on with the trace of the event it has read."""
    word = said("payment.success", booking_id)  # type: ignore[arg-type]
    producer = KafkaProducer(bootstrap_servers=service.servers, api_version=(2, 6))
    try:
        headers = [("traceparent", traceparent.encode())]
        producer.send(service.payments_topic, key=word.key, value=word.value, headers=headers).get(30)  # type: ignore[no-untyped-call]
    finally:
        producer.close(timeout=30)


def stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors


@pytest.mark.slow("all programs at once")
def test_a_trace_goes_through_request_outbox_broker_and_payment(
    service: Service, tokens: DevTokens, jwks: Jwks, collector: Collector
) -> None:
    stage, told = service.stage, settings_of(collector)
    with ExitStack() as running:
        live = running.enter_context(Live.over(stage, tokens, jwks, **service.settings(), **told))
        worker = running.enter_context(running_booking(stage.url, "worker", **service.settings(), **told))
        wait_for_line(worker, "worker.started")
        body = {
            "eventId": str(stage.fixture.event.event_id),
            "seatIds": [str(each) for each in stage.fixture.ids(0)],
        }
        customer = live.customer("ann")
        booking = customer.call("POST", BOOKINGS, body, traceparent=CALLER, X_Correlation_Id="of-the-caller").data
        wait_until(lambda: len(service.events()) == 1, worker)
        pay(service, booking["bookingId"], carried(service.events()[0]))
        wait_until(lambda: len(service.events()) == 2, worker)
        customer.close()
        stop(worker)
        stop(live.process)

    created, confirmed = map(carried, service.events())
    spans = {span.name: span for span in collector.spans if span.trace == TRACE}
    request, process = spans[f"POST {BOOKINGS}"], spans[f"process {service.payments_topic}"]
    sent = {span.own: span for span in collector.spans if span.name == f"send {service.events_topic}"}
    assert [each.split("-")[1] for each in (created, confirmed)] == [TRACE, TRACE]
    assert request == Span(
        service="booking-serve", name=request.name, trace=TRACE, own=request.own, parent=CALLER.split("-")[2]
    )
    assert sent[created.split("-")[2]].parent == request.own
    assert process.parent == created.split("-")[2]
    assert sent[confirmed.split("-")[2]].parent == process.own
    assert process.service == "booking-worker"
