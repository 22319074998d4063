"""Which jobs a command runs. The same classes serve `worker`, `relay`, `consume`, `expire --every` and `dev`."""

from booking_service.composition import Composition
from booking_workers.backlogs import BacklogWatch, BusWatch, RefundWatch
from booking_workers.consumer import Consumer
from booking_workers.dead_letters import DeadLetters
from booking_workers.event_cancellation import CancellationJob
from booking_workers.expiry import ExpiryJob
from booking_workers.jobs import InstrumentedJob, Job
from booking_workers.relay import Relay
from booking_workers.replay_dead_letters import replay_group
from booking_workers.retention import Pruner
from booking_workers.tracing import tracing


def relay(parts: Composition) -> Relay:
    """Publishes the outbox."""
    return Relay(parts.store, parts.event_bus, parts.settings.events_topic, publishing=tracing().publishing)


def consumer(parts: Composition) -> Consumer:
    """Applies what the Payment Service says."""
    settings = parts.settings
    return Consumer(
        parts.store,
        parts.event_bus,
        topic=settings.payments_topic,
        group=settings.consumer_group,
        dead_letters=DeadLetters(parts.event_bus, settings.dead_letter_topic),
        terms=parts.terms,
        handling=tracing().handling,
    )


def pruner(parts: Composition) -> Pruner:
    """Removes what has served its time."""
    settings = parts.settings
    return Pruner(
        parts.store, idempotency_hours=settings.idempotency_hours, retention_days=settings.event_retention_days
    )


def bus_watch(parts: Composition) -> BusWatch:
    """Looks at what waits in the topics."""
    settings = parts.settings
    return BusWatch(
        parts.store,
        parts.event_bus,
        payments=(settings.payments_topic, settings.consumer_group),
        letters=(settings.dead_letter_topic, replay_group(settings.consumer_group)),
    )


def all_jobs(parts: Composition) -> list[InstrumentedJob]:
    """Everything that `worker` does; where somebody can ask for its figures, it also looks for them."""
    store = parts.store
    jobs: list[Job] = [
        relay(parts),
        consumer(parts),
        ExpiryJob(store),
        CancellationJob(store),
        pruner(parts),
        RefundWatch(store),
    ]
    if parts.settings.worker_port is not None:
        jobs += [BacklogWatch(store), bus_watch(parts)]
    return [InstrumentedJob(job) for job in jobs]
