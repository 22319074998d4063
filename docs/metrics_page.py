"""The page `metrics.md`: every metric, from `booking_telemetry.metric_specs`. `generate.py` writes it."""

from typing import Final

from booking_telemetry.metric_specs import METRIC_SPECS, MetricSpec

_PAGE: Final = """\
<!-- Made by `python docs/generate.py` from booking_telemetry.metric_specs; changes belong there. -->

# Metrics

`booking serve` exposes `GET /metrics` for all of its processes together, `booking worker` for itself on
`BOOKING_WORKER_PORT`; both in Prometheus' text format, without a token. Counters begin at the start of the command,
and continue when `serve` replaces a process. The usual series exist from the start with the value 0, so that rates
include the first occurrence. Labels have values from closed sets, whatever callers send.

A scrape queries neither the database nor the broker. The worker measures backlogs every 15 s in the store and every
30 s in the topics, and exposes the latest values (`booking_task_last_done_timestamp_seconds` of the tasks `backlogs`
and `bus` has their time). Several workers measure the same backlogs, so use the largest value.

`deploy/prometheus` has a scrape configuration, recording rules and alerts, `deploy/grafana` a dashboard for Grafana.
The [runbook](operations/runbook.md) has a section for each alert. *Front* in the names of metrics is the gateway,
*closure* the cancellation of an event.

## Of `booking serve`

{serve}

With several processes there is also `stamina_retries_total`, from the library that retries requests to the Catalog.

## Of `booking worker`

{worker}

A worker also exposes the usual metrics of a process (`process_…`, `python_…`).
"""


def metrics_page() -> str:
    """The page, in the order of the code."""
    return _PAGE.format(serve=_table("serve"), worker=_table("worker"))


def _table(of: str) -> str:
    rows = [_row(each) for each in METRIC_SPECS if of in each.of]
    return "\n".join(["| name | kind | what | labels |", "|---|---|---|---|", *rows])


def _row(spec: MetricSpec) -> str:
    labels = "<br>".join(f"`{name}`: {meaning}" for name, meaning in spec.labels.items())
    unit = " s" if spec.name.endswith("_seconds") else ""
    limits = f". Limits: {', '.join(f'{each:g}' for each in spec.buckets)}{unit}" if spec.buckets else ""
    return f"| `{spec.name}` | {spec.kind.value} | {spec.help}{limits} | {labels} |"
