"""How relay and consumer trace: not at all, until OpenTelemetry is set up in their process (ADR 0018)."""

from attrs import frozen

from booking_telemetry.spans import tracer_provider
from booking_workers.consumer import Handling, as_it_is
from booking_workers.relay import Publishing, untraced


@frozen(kw_only=True)
class Tracing:
    """What is put around publishing and handling; by itself nothing."""

    publishing: Publishing = untraced
    handling: Handling = as_it_is


def tracing() -> Tracing:
    """As it is set up in this process now."""
    provider = tracer_provider()
    if provider is None:
        return Tracing()
    from booking_workers.traced_messages import TracedMessages

    traced = TracedMessages(provider)
    return Tracing(publishing=traced.publishing, handling=traced.handling)
