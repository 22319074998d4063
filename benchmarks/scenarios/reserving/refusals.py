"""How many customers are refused as busy (503): 16, 64, 256 and 1,000 of them, each with one request at a time.

Who is refused asks again at once. Each number of customers has a service and a database of its own. Then 200 customers
ask at the same moment on a service that has nothing else to do, three times, the first time just after its start.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.environment.ground import Ground
from benchmarks.load import reserving, wrk
from benchmarks.load.burst import bursts
from benchmarks.measuring.scenario import Figures, Measure, Run, Scale, Scenario

_NAME: Final = "refusals"
_CLIENTS: Final = (16, 64, 256, 1000)
_AT_ONCE: Final = 200
_BURSTS: Final = 3
_PAUSE_SECONDS: Final = 1.0


@contextmanager
def _ready(ground: Ground, scale: Scale) -> Iterator[Run]:
    wrk.path()
    with ground.migrated(_NAME) as prepared:
        events = reserving.free_events(prepared, scale.seconds * reserving.MOST_PER_SECOND)
        yield partial(_run, ground, scale, reserving.requests_file(ground, _NAME, events))


def _run(ground: Ground, scale: Scale, requests: Path) -> Figures:
    figures: dict[str, float] = {}
    errors = 0
    for clients in _CLIENTS:
        with ground.copy(_NAME) as url, ground.serving(url) as service:
            made = reserving.reserve(service, requests, connections=clients, seconds=scale.seconds)
        errors += made.errors
        figures |= {
            f"refused, {clients}": made.seen.refused_percent,
            f"reservations, {clients}": made.per_second,
            f"p95, {clients}": made.seen.times().percentile(95),
            f"service CPU, {clients}": made.service_us,
            f"PostgreSQL CPU, {clients}": made.postgres_us,
        }
    with ground.copy(_NAME) as url, ground.serving(url) as service:
        answers = bursts(service.address, requests, customers=_AT_ONCE, times=_BURSTS, pause_seconds=_PAUSE_SECONDS)
    refused = answers[503]
    return figures | {
        "refused of 200 at once": refused / _BURSTS,
        "errors": errors + sum(answers.values()) - answers[201] - refused,
    }


def _measures(clients: int) -> Iterator[Measure]:
    judged = clients in (64, 256)
    yield Measure(
        name=f"refused, {clients}", unit="%", must=1 if judged else None, aim=0 if judged else None, less=True
    )
    yield Measure(name=f"reservations, {clients}", unit="/s")
    yield Measure(name=f"p95, {clients}", unit="ms", less=True)
    yield Measure(name=f"service CPU, {clients}", unit="µs", less=True)
    yield Measure(name=f"PostgreSQL CPU, {clients}", unit="µs", less=True)


SCENARIO: Final = Scenario(
    name=_NAME,
    what="share of requests that are refused as busy, of 16 to 1,000 customers, and of 200 at once",
    measures=(
        *(measure for clients in _CLIENTS for measure in _measures(clients)),
        Measure(name="refused of 200 at once", must=0, aim=0, less=True),
        Measure(name="errors", flaw=True),
    ),
    ready=_ready,
)
