"""Relay, sweep, closures, pruning: one pass of each over the store in memory."""

import json
from collections.abc import Sequence
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from booking_core.application import apply_payments, close_event, show_booking
from booking_core.domain.commands import CancelEvent
from booking_core.domain.errors import BusUnavailable, ServiceBusy
from booking_core.domain.values import CancellationReason
from booking_core.messages.payment_messages import Skipped, parse
from booking_core.ports import Pruned
from booking_core.ports.event_bus import Message
from booking_service import worker_jobs
from booking_service.settings import Settings
from booking_workers.backlogs import RefundSampler
from booking_workers.maintenance import CancellationJob, ExpiryJob, RetentionJob
from booking_workers.relay import BATCH_SIZE, Relay
from tests.support.workers import EVENT_ID, FailingBus, World, payment


@pytest.fixture
def world() -> World:
    return World()


def relay_of(world: World, batch_size: int = BATCH_SIZE) -> Relay:
    return Relay(world.store, world.bus, "booking.events", batch_size=batch_size)


def test_the_relay_publishes_with_key_and_headers_and_marks(world: World) -> None:
    booking = world.reserve(1, 2)
    relay = relay_of(world)

    assert relay.run_once() is False
    relay.run_once()

    (delivery,) = world.read("booking.events")
    assert delivery.key == str(booking.booking_id).encode()
    assert json.loads(delivery.value or b"")["eventType"] == "booking.created"
    assert dict(delivery.headers) == {
        "event_type": b"booking.created",
        "version": b"1.0",
        "correlation_id": b"corr-1",
        "content_type": b"application/json",
        "sequence": b"1",
    }
    assert relay.published == 1


def test_events_that_the_bus_did_not_take_stay(world: World) -> None:
    world.reserve(1)
    world.bus = FailingBus()
    world.bus.failures.append(BusUnavailable())
    relay = relay_of(world)

    with pytest.raises(BusUnavailable):
        relay.run_once()
    assert world.read("booking.events") == []
    relay.run_once()

    assert len(world.read("booking.events")) == 1


def test_a_full_batch_says_that_there_may_be_more(world: World) -> None:
    assert BATCH_SIZE == 500
    for number in range(1, 4):
        world.reserve(number, user=f"user-{number}")
    relay = relay_of(world, batch_size=2)

    assert [relay.run_once(), relay.run_once()] == [True, False]
    assert len(world.read("booking.events")) == 3


def test_a_relay_stands_aside_where_another_does_the_work(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(1, 7):
        world.reserve(number, user=f"user-{number}")
    relay, other = relay_of(world, batch_size=2), relay_of(world, batch_size=2)
    publish = world.bus.publish

    def other_is_faster(topic: str, messages: Sequence[Message]) -> None:
        monkeypatch.setattr(world.bus, "publish", publish)
        other.run_once()
        publish(topic, messages)

    monkeypatch.setattr(world.bus, "publish", other_is_faster)

    assert relay.run_once() is False, "its batch was full, and all of it was marked by the other"
    assert 0.05 <= relay.idle_seconds <= 0.15, "soon enough to take over within 200 ms"
    assert relay.run_once() is True
    assert relay.idle_seconds == 0.1
    assert len(world.read("booking.events")) == 6


def test_a_sweep_ends_what_is_overdue_and_counts(world: World) -> None:
    overdue = world.reserve(1, 2)
    world.later(5)
    world.reserve(3)
    world.later(5)
    sweeper = ExpiryJob(world.store)

    sweeper.run_once()
    sweeper.run_once()

    assert (sweeper.expired, sweeper.seats_released) == (1, 2)
    booking, history = show_booking(overdue.booking_id, store=world.store)
    assert booking.cancellation_reason is CancellationReason.EXPIRED
    assert len(history) == 2


def test_a_sweep_that_is_told_to_stop_begins_nothing(world: World) -> None:
    world.reserve(1)
    world.later(20)
    sweeper = ExpiryJob(world.store)

    sweeper.run_once(lambda: False)

    assert sweeper.expired == 0


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
    relay_of(world).run_once()
    pruner = RetentionJob(world.store, idempotency_hours=24, retention_days=7)

    world.now += timedelta(days=6)
    pruner.run_once()
    kept = world.store.upkeep.prune(idempotency_hours=24, retention_days=0, limit=10).events
    world.reserve(2, user="bob")
    relay_of(world).run_once()
    world.now += timedelta(days=8)
    pruner.run_once()

    assert kept == 1
    assert world.store.upkeep.prune(idempotency_hours=24, retention_days=0, limit=10).events == 0


def test_pruning_is_bounded_and_stops_when_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def prune(**_: object) -> Pruned:
        calls.append(1)
        return Pruned(rows=1, events=0)

    monkeypatch.setattr(world.store.upkeep, "prune", prune)
    pruner = RetentionJob(world.store, idempotency_hours=24, retention_days=7)

    pruner.run_once(lambda: len(calls) < 3)
    assert len(calls) == 3
    pruner.run_once()
    assert len(calls) == 23


def test_refunds_without_an_answer_are_told_of_after_an_hour(world: World) -> None:
    late = world.reserve(1)
    world.later(11)
    watch = RefundSampler(world.store)
    command = parse(payment(late.booking_id, amount=75.0))
    assert not isinstance(command, Skipped)
    apply_payments([command], store=world.store)
    world.later(59)
    with capture_logs() as young:
        watch.run_once()
    world.later(1)
    with capture_logs() as old:
        watch.run_once()

    assert young == []
    assert old == [{"event": "refunds.unanswered", "log_level": "warning", "refunds": 1, "oldest_seconds": 3600}]

    answer = parse(payment(late.booking_id, "refund.completed", number=2))
    assert not isinstance(answer, Skipped)
    apply_payments([answer], store=world.store)
    with capture_logs() as answered:
        watch.run_once()
    assert (answered, watch.unanswered) == ([], 0)


def test_the_worker_does_everything(world: World) -> None:
    parts = world.compose(Settings(event_bus="memory"))

    assert [job.name for job in worker_jobs.all_jobs(parts)] == [
        "relay",
        "consumer",
        "expire",
        "closure",
        "prune",
        "refunds",
    ]
