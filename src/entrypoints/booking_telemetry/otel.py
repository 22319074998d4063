"""Setting up OpenTelemetry in this process, if its own OTEL_* variables ask for that."""

import os
from importlib.metadata import entry_points
from multiprocessing.util import Finalize
from typing import Any, Final

import structlog

_log = structlog.get_logger(__name__)

_ASKS: Final = ("OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_NAMES: Final = {"otlp": "otlp_proto_http"}
_FIRST_AT_THE_END: Final = 100


def switch_on(service: str) -> bool:
    """Send spans from now on where the OTEL_* variables say; False if they ask for none, or it can't be done.

    `service` is its name unless they give one. What is wrong is a line in the log: nobody is worse served without
    traces. To be called in the process that makes the spans, before anything of it is built.
    """
    wanted = os.environ.get("OTEL_TRACES_EXPORTER", "otlp")
    is_disabled = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if is_disabled or wanted == "none" or not any(os.environ.get(name) for name in _ASKS):
        return False
    try:
        _set_up(service, _NAMES.get(wanted, wanted))
    except ImportError:
        _log.warning("tracing.not_installed", detail="OTEL_* asks for traces: install booking-core[otel]")
        return False
    except Exception as error:
        # The SDK reads a dozen variables of its own, and raises what it likes.
        _log.warning("tracing.not_set_up", error=type(error).__name__, exporter=wanted)
        return False
    _log.info("tracing.on", exporter=wanted)
    return True


def _set_up(service: str, exporter: str) -> None:
    from opentelemetry import trace
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({} if _is_named() else {"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(_exporter(exporter)))
    trace.set_tracer_provider(provider)
    # What waits to be sent is sent at the end, which in a process of `multiprocessing` is not the interpreter's.
    Finalize(None, provider.shutdown, exitpriority=_FIRST_AT_THE_END)


def _exporter(name: str) -> Any:
    """Any that is installed, by the name that it has given itself."""
    for found in entry_points(group="opentelemetry_traces_exporter", name=name):
        return found.load()()
    raise LookupError(name)


def _is_named() -> bool:
    attributes = os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return bool(os.environ.get("OTEL_SERVICE_NAME")) or "service.name=" in attributes
