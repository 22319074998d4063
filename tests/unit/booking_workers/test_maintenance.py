"""Expiry every minute (FR-14), event cancellation and retention: one pass of each over the store in memory."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from attrs import frozen

from booking_core.application import close_event, show_booking
from booking_core.application.system_runtime import SystemRuntime
from booking_core.domain.commands import CancelEvent
from booking_core.domain.errors import ServiceBusy
from booking_core.domain.values import CancellationReason
from booking_core.ports import Pruned
from booking_memory.store import MemoryStore
from booking_service import worker_jobs
from booking_service.settings import Settings
from booking_workers.maintenance import CancellationJob, ExpiryJob, RetentionJob
from booking_workers.relay import Relay
from tests.support.workers import EVENT_ID, World


@frozen
class Clock(SystemRuntime):
    """Shows these moments, one after the other."""

    moments: Iterator[float]

    def monotonic(self) -> float:
        return next(self.moments)


@pytest.fixture
def world() -> World:
    return World()


def publish(world: World) -> None:
    Relay(world.store, world.bus, "booking.events").run_once()


def test_the_worker_sweeps_every_60_seconds(world: World) -> None:
    components = world.compose(Settings(event_bus="memory"))

    (expiry,) = [each.job for each in worker_jobs.all_jobs(components) if isinstance(each.job, ExpiryJob)]

    assert expiry.idle_seconds == 60.0


@pytest.mark.parametrize(("took", "idle"), [(0.0, 60.0), (2.5, 57.5), (60.0, 0.0), (75.0, 0.0)])
def test_what_a_pass_took_is_not_waited_again(took: float, idle: float) -> None:
    expiry = ExpiryJob(MemoryStore(), runtime=Clock(iter([100.0, 100.0 + took])))

    assert expiry.run_once() is False, "what others hold locked is left for the next pass"
    assert expiry.idle_seconds == idle


def test_a_sweep_ends_what_is_overdue_and_counts(world: World) -> None:
    overdue = world.reserve(1, 2)
    world.later(5)
    world.reserve(3)
    world.later(5)
    expiry = ExpiryJob(world.store)

    expiry.run_once()
    expiry.run_once()

    assert (expiry.expired, expiry.seats_released) == (1, 2)
    booking, history = show_booking(overdue.booking_id, store=world.store)
    assert booking.cancellation_reason is CancellationReason.EXPIRED
    assert len(history) == 2


def test_a_sweep_that_is_told_to_stop_begins_nothing(world: World) -> None:
    world.reserve(1)
    world.later(20)
    expiry = ExpiryJob(world.store)

    expiry.run_once(lambda: False)

    assert expiry.expired == 0


def close(world: World) -> None:
    command = CancelEvent(event_id=EVENT_ID, reason="flood", administrator="root", correlation_id="corr-close")
    close_event(command, store=world.store)


def test_open_closures_are_finished(world: World) -> None:
    booking = world.reserve(1)
    close(world)

    CancellationJob(world.store).run_once()

    assert show_booking(booking.booking_id, store=world.store)[0].cancellation_reason is (
        CancellationReason.EVENT_CANCELLED
    )
    assert world.store.reads.open_closures() == []


def test_a_closure_is_left_open_when_told_to_stop(world: World) -> None:
    close(world)

    CancellationJob(world.store).run_once(lambda: False)

    assert len(world.store.reads.open_closures()) == 1


def test_a_closure_that_is_held_up_is_reported_after_the_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    close(world)
    (closure,) = world.store.reads.open_closures()
    tried: list[object] = []

    def busy(which: object, **_: object) -> None:
        tried.append(which)
        raise ServiceBusy()

    monkeypatch.setattr(world.store.reads, "open_closures", lambda: [closure, closure])
    monkeypatch.setattr("booking_workers.maintenance.finish_closure", busy)

    with pytest.raises(ServiceBusy):
        CancellationJob(world.store).run_once()
    assert len(tried) == 2


def test_pruning_removes_what_was_published_long_ago(world: World) -> None:
    world.reserve(1)
    publish(world)
    retention = RetentionJob(world.store, idempotency_hours=24, retention_days=7)

    world.now += timedelta(days=6)
    retention.run_once()
    kept = world.store.upkeep.prune(idempotency_hours=24, retention_days=0, limit=10).events
    world.reserve(2, user="bob")
    publish(world)
    world.now += timedelta(days=8)
    retention.run_once()

    assert kept == 1
    assert world.store.upkeep.prune(idempotency_hours=24, retention_days=0, limit=10).events == 0


def test_pruning_is_bounded_and_stops_when_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def prune(**_: object) -> Pruned:
        calls.append(1)
        return Pruned(rows=1, events=0)

    monkeypatch.setattr(world.store.upkeep, "prune", prune)
    retention = RetentionJob(world.store, idempotency_hours=24, retention_days=7)

    retention.run_once(lambda: len(calls) < 3)
    assert len(calls) == 3
    retention.run_once()
    assert len(calls) == 23
