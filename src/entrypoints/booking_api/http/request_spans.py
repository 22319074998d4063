"""Spans of requests. Without an OpenTelemetry provider the application is unchanged, and nothing of it is imported."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic, time_ns
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from attrs import frozen
from flask import Flask
from structlog.contextvars import bound_contextvars

from booking_api.http.access_log import METHODS, PROBES
from booking_api.http.flask_app import ARRIVED
from booking_core.messages.trace_context import traced_as
from booking_telemetry.otel import traceparent_of

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer, TracerProvider

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

BEGUN_SPAN: Final = "booking.begun_span"
"""Entry of the WSGI environ: the span that the gateway has begun for this request; the application ends it."""


def trace_requests(app: Flask, provider: "TracerProvider | None") -> None:
    """Give each request of `app` a span, except probes."""
    if provider is not None:
        app.wsgi_app = RequestSpans(app.wsgi_app, provider)  # type: ignore[method-assign]


def tracer_of(provider: "TracerProvider") -> "Tracer":
    """The tracer of this package's spans."""
    return provider.get_tracer("booking_api")


@frozen
class RequestSpan:
    """The span of a request (kind SERVER), which continues the trace of the caller (ADR 0018)."""

    span: "Span"
    method: str

    @classmethod
    def begin(cls, tracer: "Tracer", method: str, headers: Mapping[str, str], arrived: float | None) -> "RequestSpan":
        """Begin the span when the request arrived, on `time.monotonic`. The names of `headers` are in lower case."""
        from opentelemetry import propagate
        from opentelemetry.trace import SpanKind

        shown = method if method in METHODS else "_OTHER"
        span = tracer.start_span(
            shown,
            context=propagate.extract(headers),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": shown},
            start_time=_arrival(arrived),
        )
        return cls(span, shown)

    @property
    def traceparent(self) -> str | None:
        """The trace of what the request changes; None if it is not sampled."""
        return traceparent_of(self.span.get_span_context())

    @contextmanager
    def logged(self) -> Iterator[None]:
        """Give the log records of the block the `trace_id`."""
        with bound_contextvars(trace_id=f"{self.span.get_span_context().trace_id:032x}"):
            yield

    def describe(
        self,
        status: int,
        *,
        route: str = "",
        correlation_id: str = "",
        booking_id: UUID | None = None,
        code: str = "",
    ) -> None:
        """Add what is known of the response. No attribute but the correlation id is text of the caller."""
        from opentelemetry.trace import StatusCode

        span = self.span
        span.set_attribute("http.response.status_code", status)
        if route:
            span.update_name(f"{self.method} {route}")
            span.set_attribute("http.route", route)
        if correlation_id:
            span.set_attribute("booking.correlation_id", correlation_id)
        if booking_id is not None:
            span.set_attribute("booking.id", str(booking_id))
        if code:
            span.set_attribute("error.type", code)
        if status >= 500:
            span.set_status(StatusCode.ERROR)


class RequestSpans:
    """WSGI middleware: a span per request.

    Events stored during the request carry its trace, and log records carry its `trace_id`.
    """

    def __init__(self, inner: Wsgi, provider: "TracerProvider") -> None:
        self._inner = inner
        self._tracer = tracer_of(provider)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("PATH_INFO") in PROBES:
            return self._inner(environ, start_response)
        from opentelemetry.trace import use_span

        begun: RequestSpan | None = environ.get(BEGUN_SPAN)
        span = begun or RequestSpan.begin(
            self._tracer, environ["REQUEST_METHOD"], _headers_of(environ), environ.get(ARRIVED)
        )
        with use_span(span.span, end_on_exit=True), traced_as(span.traceparent), span.logged():
            if not span.span.is_recording():
                return self._inner(environ, start_response)

            def start_described_response(status: str, *more: Any) -> Any:
                # Now, because Flask drops the request as soon as the response has started.
                _describe(span, int(status[:3]), environ.get("werkzeug.request"))
                return start_response(status, *more)

            return self._inner(environ, start_described_response)


@contextmanager
def group_span(tracer: "Tracer", members: Sequence[RequestSpan]) -> Iterator[None]:
    """One span (kind CLIENT) for the transaction of several requests, linked to those of them that are sampled.

    It belongs to the trace of the first one, so that it is kept if any of them is. No span if none is sampled.
    """
    from opentelemetry.trace import Link, SpanKind, StatusCode, set_span_in_context

    sampled = [each.span for each in members if each.span.is_recording()]
    if not sampled:
        yield
        return
    # Not the current span of its context: the block of an event loop may end in another one.
    span = tracer.start_span(
        "reserve group",
        context=set_span_in_context(sampled[0]),
        kind=SpanKind.CLIENT,
        attributes={"booking.group_size": len(members)},
        links=[Link(each.get_span_context()) for each in sampled],
    )
    try:
        yield
    except BaseException as error:
        span.set_attribute("error.type", type(error).__name__)
        span.set_status(StatusCode.ERROR)
        raise
    finally:
        span.end()


def _describe(span: RequestSpan, status: int, request: Any) -> None:
    if request is None:
        span.describe(status)
    else:
        span.describe(
            status,
            route=request.route,
            correlation_id=request.correlation_id,
            booking_id=request.booking_id,
            code=request.error_code,
        )


def _headers_of(environ: Mapping[str, Any]) -> dict[str, str]:
    """All headers with names in lower case; the configured propagators select theirs."""
    return {name[5:].lower().replace("_", "-"): text for name, text in environ.items() if name.startswith("HTTP_")}


def _arrival(arrived: float | None) -> int:
    """In nanoseconds since 1970, so that the span includes the wait in the admission queue."""
    return time_ns() - (0 if arrived is None else int((monotonic() - arrived) * 1e9))
