"""Spans of messages: one per event sent and one per payment message handled (ADR 0018). Imports OpenTelemetry."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, StatusCode, TracerProvider, use_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from structlog.contextvars import bound_contextvars

from booking_core.messages.trace_context import traced_as
from booking_core.ports.event_bus import Delivery
from booking_core.ports.outbox import OutboxRecord
from booking_telemetry.otel import traceparent_of
from booking_workers.consumer import Handle, MessageOutcome, MessageResult, reason_of

_W3C: Final = TraceContextTextMapPropagator()
_HEADERS: Final = ("traceparent", "tracestate")


class MessageSpans:
    """Spans for a `Relay` and a `Consumer`, with the names that OpenTelemetry gives to those of messages."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("booking_service")

    @contextmanager
    def sending(self, topic: str, records: Sequence[OutboxRecord]) -> Iterator[Sequence[str | None]]:
        """The `traceparent` of each message. An event stored in a trace has a span that ends with the block."""
        with ExitStack() as spans:
            yield [record.traceparent and self._start_sending(topic, record, spans) for record in records]

    def handling(self, handle: Handle) -> Handle:
        """Handle each message of a sampled trace alone, in a span, and the messages between them together as before.

        A change is thus stored in the trace of its message, at the price of one transaction per sampled message.
        """

        def traced(deliveries: Sequence[Delivery]) -> Sequence[MessageResult]:
            results: list[MessageResult] = []
            untraced: list[Delivery] = []
            for delivery in deliveries:
                span = self._start_processing(delivery)
                if not span.is_recording():
                    untraced.append(delivery)
                    continue
                results += handle(untraced) if untraced else []
                untraced = []
                with use_span(span, end_on_exit=True):
                    results.append(_handled(handle, delivery, span))
            return [*results, *(handle(untraced) if untraced else [])]

        return traced

    def _start_sending(self, topic: str, record: OutboxRecord, spans: ExitStack) -> str | None:
        span = self._tracer.start_span(
            f"send {topic}",
            context=_context({"traceparent": record.traceparent or ""}),
            kind=SpanKind.PRODUCER,
            attributes={
                "messaging.operation.type": "send",
                "messaging.destination.name": topic,
                "messaging.message.id": str(record.message_id),
                "booking.event_type": record.event_type,
                "booking.key": str(record.key),
                "booking.correlation_id": record.correlation_id,
            },
        )
        spans.enter_context(use_span(span, end_on_exit=True))
        return traceparent_of(span.get_span_context())

    def _start_processing(self, delivery: Delivery) -> Span:
        carried = {name: value.decode("ascii", "replace") for name, value in delivery.headers if name in _HEADERS}
        return self._tracer.start_span(
            f"process {delivery.topic}",
            context=_context(carried),
            kind=SpanKind.CONSUMER,
            attributes={
                "messaging.operation.type": "process",
                "messaging.destination.name": delivery.topic,
                "messaging.destination.partition.id": str(delivery.partition),
                "messaging.kafka.offset": delivery.offset,
            },
        )


def _handled(handle: Handle, delivery: Delivery, span: Span) -> MessageResult:
    context = span.get_span_context()
    with traced_as(traceparent_of(context)), bound_contextvars(trace_id=f"{context.trace_id:032x}"):
        [result] = handle([delivery])
    if isinstance(result, MessageOutcome):
        span.set_attribute("booking.outcome", result.value)
    else:
        span.set_attribute("error.type", reason_of(result)[0])
        span.set_status(StatusCode.ERROR)
    return result


def _context(carried: dict[str, str]) -> Context:
    """The parent that the headers name; without one an empty context, so that the span begins a trace of its own."""
    return _W3C.extract(carried, Context())
