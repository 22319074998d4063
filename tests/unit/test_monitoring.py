"""Dashboard and alerts ask for what there is, and every alert has its part of the runbook."""

import importlib
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import click
import pytest
import yaml

from booking_api.http.access_log import PROBES
from booking_api.http.errors import STATUS
from booking_api.routes.bookings import BOOKINGS
from booking_cli.main import cli
from booking_service import worker_jobs
from booking_service.settings import Settings
from booking_telemetry.metric_specs import METRIC_SPECS, Kind, MetricSpec
from tests.support.monitoring import PROMETHEUS, ROOT, RULE_TESTS, Asked, alerts, dashboard, panels, queries, recorded
from tests.support.workers import World

# Prometheus' own, beside ours.
_OWN: Final = {"up"}
_ANYWHERE: Final = {"job", "instance"}
_JOBS: Final = {"booking-serve", "booking-worker"}
_BY_SERIES: Final[Mapping[str, MetricSpec]] = {name: figure for figure in METRIC_SPECS for name in figure.series}
_RUNBOOK: Final = (ROOT / "docs" / "operations" / "runbook.md").read_text(encoding="utf-8")
_COMMAND: Final = re.compile(r"`(booking\s[^`]+)`|^booking .*$", re.MULTILINE)


def labels_of(name: str) -> set[str]:
    """What series of that name may be told apart by."""
    if name in _OWN or name in recorded():
        return _ANYWHERE
    figure = _BY_SERIES[name]
    return _ANYWHERE | set(figure.labels) | ({"le"} if name.endswith("_bucket") else set())


def values_of(label: str, name: str) -> set[str]:
    """Every value that the label may have, as far as there is a list of them."""
    figure = _BY_SERIES.get(name)
    known = {
        "job": _JOBS,
        "route": {*PROBES, BOOKINGS, ""},
        "code": {*STATUS, ""},
        "status": {str(status) for status in (200, 201, 202, *STATUS.values())},
        "method": {"GET", "POST", "DELETE"},
        "le": {f"{limit}" for limit in figure.buckets} if figure else set(),
        "task": {
            job.name for job in worker_jobs.all_jobs(World().compose(Settings(event_bus="memory", worker_port=1)))
        },
    }
    if label in known:
        return known[label]
    assert figure is not None
    # "CREATED, REPLAYED (by idempotency key), or the code of the refusal"
    words = re.sub(r"\([^)]*\)", "", figure.labels[label]).replace(" or the code of the refusal", "")
    return {word.strip() for word in words.split(",")} | (set(STATUS) if label == "outcome" else set())


@pytest.mark.parametrize("query", queries())
def test_a_query_asks_for_what_there_is(query: str) -> None:
    asked = Asked.by(query)

    assert asked.selectors or query.strip() == ""
    for name, matchers in asked.selectors:
        assert name in _BY_SERIES or name in _OWN | recorded(), f"{name} is no figure of ours"
        assert {label for label, _ in matchers} <= labels_of(name), name
        for label, pattern in matchers:
            found = values_of(label, name)
            assert any(re.fullmatch(pattern, each) for each in found), f"{label}={pattern!r} is never said of {name}"
    assert asked.grouped <= set().union(*(labels_of(name) for name, _ in asked.selectors))


@pytest.mark.parametrize("query", queries())
def test_counters_are_asked_for_their_growth_and_gauges_for_what_they_are(query: str) -> None:
    asked = Asked.by(query)

    for name, _ in asked.selectors:
        if name in _BY_SERIES:
            assert (name in asked.grown) is (_BY_SERIES[name].kind is not Kind.GAUGE), name


def test_what_is_no_promql_or_asks_for_nothing_of_ours_would_be_seen() -> None:
    with pytest.raises(ValueError, match="unclosed"):
        Asked.by("sum(rate(booking_http_requests_total[5m])")
    with pytest.raises(AssertionError, match="no figure"):
        test_a_query_asks_for_what_there_is("rate(booking_requests_total[5m])")
    with pytest.raises(AssertionError):
        test_a_query_asks_for_what_there_is('booking_outbox_events{topic="x"}')
    with pytest.raises(AssertionError, match="never said"):
        test_a_query_asks_for_what_there_is('rate(booking_task_passes_total{task="sweep"}[5m])')
    with pytest.raises(AssertionError):
        test_a_query_asks_for_what_there_is("sum by (topic) (booking_outbox_events)")
    with pytest.raises(AssertionError):
        test_counters_are_asked_for_their_growth_and_gauges_for_what_they_are("booking_reservations_total > 5")


def test_every_figure_is_on_the_dashboard() -> None:
    """By itself, or in a recorded one."""
    asked = {name for query in queries() for name, _ in Asked.by(query).selectors}

    assert [figure.name for figure in METRIC_SPECS if not asked & set(figure.series)] == []


def test_the_dashboard_is_whole() -> None:
    shown = list(panels())
    ids = [each["id"] for each in dashboard()["panels"]]

    assert len(ids) == len(set(ids))
    assert all(each["targets"] and each["title"] for each in shown)
    cells = [(each["gridPos"]["x"], each["gridPos"]["y"]) for each in dashboard()["panels"]]
    assert len(cells) == len(set(cells)), "two panels in one place"
    assert all(each["gridPos"]["x"] + each["gridPos"]["w"] <= 24 for each in shown)


def test_every_alert_says_how_urgent_it_is_what_is_wrong_and_where_to_read_on() -> None:
    for alert in alerts():
        assert alert["labels"]["severity"] in {"page", "ticket", "info"}
        assert alert["annotations"]["summary"]
        assert alert["annotations"]["runbook_url"] == f"docs/operations/runbook.md#{alert['alert'].lower()}"


def test_every_alert_has_its_part_of_the_runbook_and_no_other_has() -> None:
    parts = re.split(r"^## ", _RUNBOOK, flags=re.MULTILINE)[1:]
    told = {part.partition("\n")[0]: part for part in parts}
    names = [alert["alert"] for alert in alerts()]

    assert [name for name in told if name.startswith("Booking")] == names
    for name in names:
        assert all(word in told[name] for word in ("**Means.**", "**Look.**", "**Do.**")), name
    links = set(re.findall(r"\]\(#([a-z]+)\)", _RUNBOOK))
    assert links <= {name.lower() for name in told}


def command_lines(page: str) -> list[Sequence[str]]:
    found = (match.group(1) or match.group(0) for match in _COMMAND.finditer(page))
    return [each.split()[1:] for each in found]


@pytest.mark.parametrize("words", command_lines(_RUNBOOK), ids=" ".join)
def test_every_command_of_the_runbook_is_one(words: Sequence[str]) -> None:
    command: click.Command = cli
    left = list(words)
    while isinstance(command, click.Group) and left:
        name = left.pop(0)
        _, found, _ = command.resolve_command(click.Context(command, resilient_parsing=True), [name])
        assert found is not None, f"there is no command {name}"
        command = found
    options = {option for each in command.params for option in each.opts}

    assert {word for word in left if word.startswith("-")} <= options


def test_the_page_of_metrics_is_up_to_date() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "docs"))
        page = importlib.import_module("metrics_page").metrics_page()

    assert (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8") == page, (
        "docs/metrics.md no longer shows what the code says; write it anew with:  .venv/bin/python docs/generate.py"
    )


def test_every_alert_is_tried_where_it_comes_and_where_it_does_not() -> None:
    tried = [
        (each["alertname"], bool(each["exp_alerts"]))
        for name in RULE_TESTS
        for stage in yaml.safe_load((PROMETHEUS / name).read_text(encoding="utf-8"))["tests"]
        for each in stage["alert_rule_test"]
    ]

    assert {(alert["alert"], comes) for alert in alerts() for comes in (True, False)} == set(tried)


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "rules", "rules.yml", "alerts.yml"],
        ["check", "config", "prometheus.yml"],
        ["test", "rules", *RULE_TESTS],
    ],
)
def test_prometheus_own_tool_agrees(arguments: list[str]) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    done = subprocess.run([promtool, *arguments], cwd=PROMETHEUS, capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_scrapes_are_named_as_the_alerts_name_them() -> None:
    config = (Path(PROMETHEUS) / "prometheus.yml").read_text(encoding="utf-8")

    assert set(re.findall(r"job_name: (\S+)", config)) == _JOBS
