"""What a worker shows to Prometheus: passes of its jobs, and what waits, as last looked at."""

import time
from collections.abc import Callable
from typing import Any, Self

import pytest
from attrs import evolve
from prometheus_client.parser import text_string_to_metric_families

from booking_core.domain.errors import BusUnavailable
from booking_core.ports import ConnectionUse, Message
from booking_service import worker_jobs
from booking_service.settings import Settings
from booking_telemetry import metric_specs
from booking_workers.backlogs import BusSampler, StoreSampler
from booking_workers.jobs import InstrumentedJob, always
from booking_workers.maintenance import ExpiryJob
from booking_workers.metrics import metrics_renderer
from tests.support.workers import FailingBus, World, payment

Seen = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def world() -> World:
    return World()


def seen(write: Callable[[], bytes]) -> Seen:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(write().decode())
        for sample in family.samples
    }


def plain(found: Seen, *names: metric_specs.MetricSpec) -> list[float | None]:
    return [found.get((figure.name, ())) for figure in names]


def bus_watch(world: World) -> BusSampler:
    return BusSampler(world.store, world.bus, payments=("payment.events", "g"), dead_letters=("letters", "g-replay"))


def test_passes_are_counted_timed_and_dated(world: World) -> None:
    class Clumsy(ExpiryJob):
        def run_once(self, should_continue: Any = always) -> bool:
            time.sleep(0.01)
            if self.seats_released == 0:
                self.seats_released = 1
                raise BusUnavailable()
            return super().run_once(should_continue)

    timed = InstrumentedJob(Clumsy(world.store))
    write = metrics_renderer([timed])
    with pytest.raises(BusUnavailable):
        timed.run_once()
    before = seen(write)
    began = time.time()
    timed.run_once()
    after = seen(write)

    task = ("task", "expire")
    passes = [after[metric_specs.PASSES.name, (("outcome", outcome), task)] for outcome in ("done", "failed")]
    assert passes == [1, 1]
    assert (metric_specs.LAST_DONE.name, (task,)) not in before, "none has ended well"
    assert began <= after[metric_specs.LAST_DONE.name, (task,)] <= time.time()
    assert 0.02 <= after[metric_specs.PASS_SECONDS.name, (task,)] < 5


def test_a_timed_job_is_the_job_to_whoever_runs_it(world: World) -> None:
    sweeper = ExpiryJob(world.store, every_seconds=7.0)
    closed: list[bool] = []
    sweeper.close = lambda: closed.append(True)  # type: ignore[method-assign]
    timed = InstrumentedJob(sweeper)

    timed.close()

    assert (timed.name, timed.idle_seconds, closed) == ("expire", 7.0, [True])


def test_what_waits_in_the_store_is_shown_as_last_looked_at(world: World) -> None:
    overdue = world.reserve(1)
    world.later(8)
    world.reserve(2, user="bob")
    world.later(4)
    watch = StoreSampler(world.store)
    write = metrics_renderer([watch])
    assert plain(seen(write), metric_specs.HOLDS) == [None], "nobody has looked yet"

    watch.run_once()
    world.reserve(3, user="carol")

    names = (
        metric_specs.HOLDS,
        metric_specs.OVERDUE,
        metric_specs.OVERDUE_AGE,
        metric_specs.OUTBOX,
        metric_specs.OUTBOX_AGE,
    )
    assert plain(seen(write), *names) == [1, 1, 120, 2, 720]
    assert plain(seen(write), metric_specs.REFUNDS, metric_specs.REFUNDS_AGE, metric_specs.CLOSURES_AGE) == [0, 0, 0]
    assert overdue.deadline is not None


def test_what_waits_in_the_topics_is_shown_with_its_age(world: World) -> None:
    booking = world.reserve(1)
    world.bus.publish("payment.events", [Message(key=b"k", value=payment(booking.booking_id)) for _ in range(3)])
    watch = bus_watch(world)
    write = metrics_renderer([watch])
    assert plain(seen(write), metric_specs.LAG) == [None]

    watch.run_once()
    found = seen(write)

    assert plain(found, metric_specs.LAG, metric_specs.DEAD_LETTERS, metric_specs.DEAD_LETTERS_AGE) == [3, 0, 0]
    assert found[metric_specs.LAG_AGE.name, ()] >= 0

    world.bus.publish("letters", [Message(key=b"k", value=b"{}")])
    subscription = world.bus.subscribe("payment.events", "g")
    subscription.poll(1)
    subscription.commit()
    watch.run_once()
    assert plain(seen(write), metric_specs.LAG, metric_specs.DEAD_LETTERS) == [0, 1]


def test_a_bus_that_is_away_leaves_what_was_seen(world: World) -> None:
    watch = bus_watch(world)
    watch.run_once()
    world.bus = FailingBus()
    watch._bus = world.bus

    def away(*_: str) -> Any:
        raise BusUnavailable()

    world.bus.backlog = away  # type: ignore[method-assign,assignment]
    with pytest.raises(BusUnavailable):
        watch.run_once()

    assert plain(seen(metrics_renderer([watch])), metric_specs.LAG) == [0]


def test_a_worker_looks_only_where_somebody_can_ask(world: World) -> None:
    settings = Settings(event_bus="memory")

    def names(settings: Settings) -> list[str]:
        return [job.name for job in worker_jobs.all_jobs(world.compose(settings))]

    assert names(evolve(settings, worker_port=9000)) == [*names(settings), "backlogs", "bus"]


def test_connections_are_those_of_the_store(world: World) -> None:
    class Lender:
        @property
        def upkeep(self) -> Self:
            return self

        def connection_use(self) -> ConnectionUse:
            return ConnectionUse(most=3, used_seconds=7.5, waits=2, waited_seconds=0.25, refused=1)

    found = seen(metrics_renderer([], Lender()))  # type: ignore[arg-type]  # nothing else is asked of it

    assert plain(
        found,
        metric_specs.CONNECTIONS,
        metric_specs.CONNECTION_SECONDS,
        metric_specs.CONNECTION_WAITS,
        metric_specs.CONNECTION_WAIT_SECONDS,
        metric_specs.CONNECTIONS_REFUSED,
    ) == [3, 7.5, 2, 0.25, 1]


def test_the_list_is_what_a_worker_shows(world: World) -> None:
    class Lender:
        @property
        def upkeep(self) -> Self:
            return self

        def connection_use(self) -> ConnectionUse:
            return ConnectionUse(most=3, used_seconds=0, waits=0, waited_seconds=0, refused=0)

    jobs = worker_jobs.all_jobs(world.compose(Settings(event_bus="memory", worker_port=9000)))
    for job in jobs:
        job.run_once()

    families = text_string_to_metric_families(metrics_renderer(jobs, Lender())().decode())  # type: ignore[arg-type]
    names = {each.name + ("_total" if each.type == "counter" else "") for each in families}
    assert {name for name in names if name.startswith("booking_")} == {
        each.name for each in metric_specs.METRIC_SPECS if "worker" in each.of
    }
    assert "process_resident_memory_bytes" in names
    said = metric_specs.PASSES.labels["task"].split(", ")
    assert [job.name for job in jobs] == said
