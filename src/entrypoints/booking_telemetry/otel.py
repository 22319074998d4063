"""OpenTelemetry: set up for this process if its OTEL_* variables ask for it, and not imported otherwise."""

import os
import sys
from importlib.metadata import entry_points
from multiprocessing.util import Finalize
from typing import TYPE_CHECKING, Any, Final

from booking_telemetry.logs import get_logger

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext, TracerProvider

_log = get_logger(__name__)

_SWITCHES: Final = ("OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_EXPORTER_NAMES: Final = {"otlp": "otlp_proto_http"}
# Finalizers with a higher priority run earlier; spans are flushed before the other parts are closed.
_FLUSH_PRIORITY: Final = 100


def switch_on(service: str) -> bool:
    """Export spans as the OTEL_* variables configure it; False if they request none, or the set-up fails.

    `service` is the service's name unless the variables set one. Call this in the process that makes the spans, before
    the application is built. After a failure, which is logged, the process works without traces.
    """
    wanted = os.environ.get("OTEL_TRACES_EXPORTER", "otlp")
    is_disabled = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if is_disabled or wanted == "none" or not any(os.environ.get(name) for name in _SWITCHES):
        return False
    try:
        _set_up(service, _EXPORTER_NAMES.get(wanted, wanted))
    except ImportError:
        _log.warning("tracing.not_installed", detail="OTEL_* asks for traces: install booking-core[otel]")
        return False
    except Exception as error:
        # The SDK reads a dozen variables of its own, and may raise anything.
        _log.warning("tracing.not_set_up", error=type(error).__name__, exporter=wanted)
        return False
    _log.info("tracing.on", exporter=wanted)
    return True


def tracer_provider() -> "TracerProvider | None":
    """The tracer provider of this process; None if OpenTelemetry was not set up."""
    if "opentelemetry.sdk.trace" not in sys.modules:
        return None
    from opentelemetry import trace

    provider = trace.get_tracer_provider()
    return None if isinstance(provider, trace.ProxyTracerProvider) else provider


def traceparent_of(context: "SpanContext") -> str | None:
    """The span's W3C `traceparent`; None if it is not sampled, so that no other process continues it."""
    if not (context.is_valid and context.trace_flags.sampled):
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def _set_up(service: str, exporter: str) -> None:
    from opentelemetry import trace
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({} if _has_name() else {"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(_exporter(exporter)))
    trace.set_tracer_provider(provider)
    # Waiting spans are exported at the end of the process; in a child of `multiprocessing`, `atexit` does not run.
    Finalize(None, provider.shutdown, exitpriority=_FLUSH_PRIORITY)


def _exporter(name: str) -> Any:
    """An installed exporter, found by the name under which it is registered."""
    for found in entry_points(group="opentelemetry_traces_exporter", name=name):
        return found.load()()
    raise LookupError(name)


def _has_name() -> bool:
    attributes = os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return bool(os.environ.get("OTEL_SERVICE_NAME")) or "service.name=" in attributes
