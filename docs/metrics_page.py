"""The page `metrics.md`: every figure, from its one home. `generate.py` writes it."""

from typing import Final

from booking_telemetry.metric_specs import METRIC_SPECS, MetricSpec

_PAGE: Final = """\
<!-- Made by `python docs/generate.py` from booking_telemetry.metric_specs; changes belong there. -->

# Metrics

`booking serve` answers `GET /metrics` for all of its processes together, `booking worker` for itself on
`BOOKING_WORKER_PORT`; both in Prometheus' text format, without a token. What they count begins at their start, and goes
on when `serve` replaces a process; what usually happens is shown as 0 before it first does, so that rates see its
beginning. Labels have values from closed sets, whatever callers send. Nothing is asked of the database or the broker
for an answer: what waits is looked at by the worker, every 15 s in the store and every 30 s in the topics, and shown as
it was then (`booking_task_last_done_timestamp_seconds` of the tasks `backlogs` and `bus` says when). Several workers
say the same of what waits, so take the largest.

A scrape configuration, recording rules and alerts are in `deploy/prometheus`, a dashboard for Grafana in
`deploy/grafana`; what to do when an alert comes is in the [runbook](operations/runbook.md).

## Of `booking serve`

{serve}

Where several processes serve, `stamina_retries_total` is beside them: from the library that retries requests to the
Catalog.

## Of `booking worker`

{worker}

A worker also shows the usual ones of a process (`process_…`, `python_…`).
"""


def metrics_page() -> str:
    """The page, in the order of the code."""
    return _PAGE.format(serve=_table("serve"), worker=_table("worker"))


def _table(of: str) -> str:
    rows = [_row(each) for each in METRIC_SPECS if of in each.of]
    return "\n".join(["| name | kind | what | labels |", "|---|---|---|---|", *rows])


def _row(figure: MetricSpec) -> str:
    labels = "<br>".join(f"`{name}`: {said}" for name, said in figure.labels.items())
    limits = f". Limits: {', '.join(f'{each:g}' for each in figure.buckets)} s" if figure.buckets else ""
    return f"| `{figure.name}` | {figure.kind.value} | {figure.help}{limits} | {labels} |"
