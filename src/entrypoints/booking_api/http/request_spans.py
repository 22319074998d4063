"""Spans of requests. Without an OpenTelemetry provider the application is unchanged, and nothing of it is imported."""

from collections.abc import Callable, Iterable, Mapping
from time import monotonic, time_ns
from typing import TYPE_CHECKING, Any

from flask import Flask
from structlog.contextvars import bound_contextvars

from booking_api.http.access_log import METHODS, PROBES
from booking_api.http.flask_app import ARRIVED
from booking_core.messages.trace_context import traced_as
from booking_telemetry.otel import traceparent_of

if TYPE_CHECKING:
    from opentelemetry.trace import Span, TracerProvider

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def trace_requests(app: Flask, provider: "TracerProvider | None") -> None:
    """Give each request of `app` a span, except probes."""
    if provider is not None:
        app.wsgi_app = RequestSpans(app.wsgi_app, provider)  # type: ignore[method-assign]


class RequestSpans:
    """WSGI middleware: a span per request, which continues the trace of the caller (ADR 0018).

    Events stored during the request carry its trace, and log records carry its `trace_id`.
    """

    def __init__(self, inner: Wsgi, provider: "TracerProvider") -> None:
        self._inner = inner
        self._tracer = provider.get_tracer("booking_api")

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("PATH_INFO") in PROBES:
            return self._inner(environ, start_response)
        from opentelemetry import propagate
        from opentelemetry.trace import SpanKind

        method = environ["REQUEST_METHOD"] if environ["REQUEST_METHOD"] in METHODS else "_OTHER"
        with self._tracer.start_as_current_span(
            method,
            context=propagate.extract(_headers_of(environ)),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": method},
            start_time=_arrival_of(environ),
        ) as span:
            context = span.get_span_context()
            with traced_as(traceparent_of(context)), bound_contextvars(trace_id=f"{context.trace_id:032x}"):
                if not span.is_recording():
                    return self._inner(environ, start_response)

                def start_described_response(status: str, *more: Any) -> Any:
                    # Now, because Flask drops the request as soon as the response has started.
                    _describe(span, method, status, environ.get("werkzeug.request"))
                    return start_response(status, *more)

                return self._inner(environ, start_described_response)


def _describe(span: "Span", method: str, status: str, request: Any) -> None:
    """Add what is known after the request was handled. No attribute but the correlation id is text of the caller."""
    from opentelemetry.trace import StatusCode

    code = int(status[:3])
    span.set_attribute("http.response.status_code", code)
    if request is not None:
        if request.route:
            span.update_name(f"{method} {request.route}")
            span.set_attribute("http.route", request.route)
        span.set_attribute("booking.correlation_id", request.correlation_id)
        if request.booking_id is not None:
            span.set_attribute("booking.id", str(request.booking_id))
        if request.error_code:
            span.set_attribute("error.type", request.error_code)
    if code >= 500:
        span.set_status(StatusCode.ERROR)


def _headers_of(environ: Mapping[str, Any]) -> dict[str, str]:
    """All headers with names in lower case; the configured propagators select theirs."""
    return {name[5:].lower().replace("_", "-"): text for name, text in environ.items() if name.startswith("HTTP_")}


def _arrival_of(environ: Mapping[str, Any]) -> int:
    """In nanoseconds since 1970, so that the span includes the wait in the admission queue."""
    arrived = environ.get(ARRIVED)
    return time_ns() - (0 if arrived is None else int((monotonic() - arrived) * 1e9))
