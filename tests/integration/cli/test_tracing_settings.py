"""OpenTelemetry is set up by its own variables, and whatever is wrong with them, the service runs."""

import json
import subprocess
import sys

import pytest

NOTHING_IMPORTED = """
import sys
from booking_api.app import create_app
from booking_service.worker_jobs import message_spans
from booking_telemetry.otel import switch_on, tracer_provider
assert not switch_on("x") and tracer_provider() is None and message_spans() is None
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
SWITCH_ON = """
from booking_service.worker_jobs import message_spans
from booking_telemetry import logs
from booking_telemetry.otel import switch_on, tracer_provider
logs.configure()
on = switch_on("booking-x")
provider = tracer_provider()
assert on is (provider is not None) is (message_spans() is not None)
if on:
    provider.get_tracer("t").start_span("s").end()
print("on" if on else "off")
"""
WITHOUT_THE_EXTRA = "import sys\nsys.modules['opentelemetry.sdk.trace'] = None\n" + SWITCH_ON.replace(
    "provider = tracer_provider()", "provider = None"
).replace("message_spans()", "None")


def run(program: str, **environ: str) -> tuple[str, list[str]]:
    """What it prints, and the events that it logs."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environ, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout, [json.loads(line)["event"] for line in done.stderr.splitlines()]


def test_nothing_of_it_is_imported_unless_it_is_asked_for() -> None:
    assert run(NOTHING_IMPORTED) == ("[]\n", [])


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"},
        {"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "console"},
        {"OTEL_SERVICE_NAME": "alone it asks for nothing"},
    ],
)
def test_it_stays_off(environ: dict[str, str]) -> None:
    assert run(SWITCH_ON, **environ) == ("off\n", [])


def test_spans_go_where_the_variables_say_under_the_commands_name() -> None:
    printed, events = run(SWITCH_ON, OTEL_TRACES_EXPORTER="console")
    state, _, span = printed.partition("\n")

    assert (state, events) == ("on", ["tracing.on"])
    assert json.loads(span)["resource"]["attributes"]["service.name"] == "booking-x"


@pytest.mark.parametrize(
    "environ", [{"OTEL_SERVICE_NAME": "mine"}, {"OTEL_RESOURCE_ATTRIBUTES": "a=b,service.name=mine"}]
)
def test_a_name_that_they_give_stands(environ: dict[str, str]) -> None:
    printed, _ = run(SWITCH_ON, OTEL_TRACES_EXPORTER="console", **environ)

    assert json.loads(printed.partition("\n")[2])["resource"]["attributes"]["service.name"] == "mine"


def test_what_is_wrong_is_one_line_of_the_log() -> None:
    assert run(SWITCH_ON, OTEL_TRACES_EXPORTER="pigeon") == ("off\n", ["tracing.not_set_up"])
    assert run(WITHOUT_THE_EXTRA, OTEL_TRACES_EXPORTER="console") == ("off\n", ["tracing.not_installed"])
