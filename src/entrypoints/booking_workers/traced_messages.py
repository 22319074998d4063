"""Spans of published and consumed messages (ADR 0018). Imports OpenTelemetry, so `tracing` imports it when needed."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, StatusCode, TracerProvider, use_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from structlog.contextvars import bound_contextvars

from booking_core.messages.trace_context import traced_as
from booking_core.ports.event_bus import Delivery, Message
from booking_core.ports.store import OutboxRecord
from booking_telemetry.spans import traceparent_of
from booking_workers.consumer import Handle
from booking_workers.message_handler import Outcome, Verdict, reason_of
from booking_workers.relay import message_of

_W3C: Final = TraceContextTextMapPropagator()
_HEADERS: Final = ("traceparent", "tracestate")


class TracedMessages:
    """The two sides of `Tracing`. Spans are named as OpenTelemetry names those of messages."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("booking_service")

    @contextmanager
    def publishing(self, topic: str, records: Sequence[OutboxRecord]) -> Iterator[Sequence[Message]]:
        """A span for each event that was stored in a trace, from here to the end of the block."""
        with ExitStack() as spans:
            messages = []
            for record in records:
                if record.traceparent is None:
                    messages.append(message_of(record))
                    continue
                span = self._tracer.start_span(
                    f"send {topic}", context=_context({"traceparent": record.traceparent}), kind=SpanKind.PRODUCER
                )
                spans.enter_context(use_span(span, end_on_exit=True))
                span.set_attributes(
                    {
                        "messaging.operation.type": "send",
                        "messaging.destination.name": topic,
                        "messaging.message.id": str(record.message_id),
                        "booking.event_type": record.event_type,
                        "booking.key": str(record.key),
                        "booking.correlation_id": record.correlation_id,
                    }
                )
                messages.append(message_of(record, traceparent_of(span.get_span_context())))
            yield messages

    def handling(self, handle: Handle) -> Handle:
        """Each delivery whose trace is sampled is handled by itself, in a span; those between are, as ever, together.

        So what a message changes is stored in that message's trace, at the price of a transaction for each.
        """

        def traced(deliveries: Sequence[Delivery]) -> Sequence[Verdict]:
            verdicts: list[Verdict] = []
            untraced: list[Delivery] = []
            for delivery in deliveries:
                span = self._span_of(delivery)
                if not span.is_recording():
                    untraced.append(delivery)
                    continue
                verdicts += handle(untraced) if untraced else []
                untraced = []
                with use_span(span, end_on_exit=True):
                    verdicts.append(_handled(handle, delivery, span))
            return [*verdicts, *(handle(untraced) if untraced else [])]

        return traced

    def _span_of(self, delivery: Delivery) -> Span:
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


def _handled(handle: Handle, delivery: Delivery, span: Span) -> Verdict:
    context = span.get_span_context()
    with traced_as(traceparent_of(context)), bound_contextvars(trace_id=f"{context.trace_id:032x}"):
        [verdict] = handle([delivery])
    if isinstance(verdict, Outcome):
        span.set_attribute("booking.outcome", verdict.value)
    else:
        span.set_attribute("error.type", reason_of(verdict)[0])
        span.set_status(StatusCode.ERROR)
    return verdict


def _context(carried: dict[str, str]) -> Context:
    """Where the message comes from; an empty one, so that it begins a trace of its own, if it does not say."""
    return _W3C.extract(carried, Context())
