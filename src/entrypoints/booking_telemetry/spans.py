"""The tracer provider of this process, and how a span is named to other processes.

Nothing of OpenTelemetry is imported until its SDK has been.
"""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext, TracerProvider


def tracer_provider() -> "TracerProvider | None":
    """The one that was set up in this process; None if nobody has."""
    if "opentelemetry.sdk.trace" not in sys.modules:
        return None
    from opentelemetry import trace

    found = trace.get_tracer_provider()
    return None if isinstance(found, trace.ProxyTracerProvider) else found


def traceparent_of(context: "SpanContext") -> str | None:
    """How other processes name the span (W3C); None if it is not sampled, for then nobody should go on with it."""
    if not (context.is_valid and context.trace_flags.sampled):
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
