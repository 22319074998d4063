"""Spans of requests (OpenTelemetry, the extra `otel`). While nobody has set it up, nothing happens here.

Nothing of OpenTelemetry is imported until its SDK has been, by `booking_telemetry.otel` or by a service that has this
application within it.
"""

from collections.abc import Callable, Iterable, Mapping
from time import monotonic, time_ns
from typing import TYPE_CHECKING, Any

from flask import Flask
from structlog.contextvars import bound_contextvars

from booking_api.http.access_log import METHODS, PROBES
from booking_api.http.request import ARRIVED
from booking_core.messages.trace_context import traced_as
from booking_telemetry.spans import traceparent_of

if TYPE_CHECKING:
    from opentelemetry.trace import Span, TracerProvider

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def trace_requests(app: Flask, provider: "TracerProvider | None") -> None:
    """Have each request of `app` in a span, except those of probes; without a provider nothing is changed."""
    if provider is not None:
        app.wsgi_app = TracedRequests(app.wsgi_app, provider)  # type: ignore[method-assign]


class TracedRequests:
    """A WSGI application around another. The caller's trace, if it names one, goes on here.

    Events that are stored meanwhile are kept with the trace, and what is logged meanwhile names it (`trace_id`).
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
            context=propagate.extract(_headers_in(environ)),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": method},
            start_time=_arrival_of(environ),
        ) as span:
            context = span.get_span_context()
            with traced_as(traceparent_of(context)), bound_contextvars(trace_id=f"{context.trace_id:032x}"):
                if not span.is_recording():
                    return self._inner(environ, start_response)

                def describing(status: str, *more: Any) -> Any:
                    # Flask forgets the exchange as soon as it has answered.
                    _describe(span, method, status, environ.get("werkzeug.request"))
                    return start_response(status, *more)

                return self._inner(environ, describing)


def _describe(span: "Span", method: str, status: str, exchange: Any) -> None:
    """What is known only now; nothing of it is the caller's own text."""
    from opentelemetry.trace import StatusCode

    code = int(status[:3])
    span.set_attribute("http.response.status_code", code)
    if exchange is not None:
        if exchange.route:
            span.update_name(f"{method} {exchange.route}")
            span.set_attribute("http.route", exchange.route)
        span.set_attribute("booking.correlation_id", exchange.correlation_id)
        if exchange.booking_id is not None:
            span.set_attribute("booking.id", str(exchange.booking_id))
        if exchange.error_code:
            span.set_attribute("error.type", exchange.error_code)
    if code >= 500:
        span.set_status(StatusCode.ERROR)


def _headers_in(environ: Mapping[str, Any]) -> dict[str, str]:
    """By their names in lower case: which of them say where the trace comes from is the propagators' to know."""
    return {name[5:].lower().replace("_", "-"): text for name, text in environ.items() if name.startswith("HTTP_")}


def _arrival_of(environ: Mapping[str, Any]) -> int:
    """In nanoseconds since 1970: waiting for the application is part of the request."""
    arrived = environ.get(ARRIVED)
    return time_ns() - (0 if arrived is None else int((monotonic() - arrived) * 1e9))
