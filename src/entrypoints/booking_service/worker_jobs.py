"""The jobs of each worker command, made from settings: `worker`, `relay`, `consume` and `dev`."""

from typing import TYPE_CHECKING

from booking_service.composition import Composition
from booking_telemetry.otel import tracer_provider
from booking_workers.backlogs import BusSampler, RefundSampler, StoreSampler
from booking_workers.consumer import Consumer
from booking_workers.dead_letters import DeadLetters
from booking_workers.jobs import InstrumentedJob, Job
from booking_workers.maintenance import CancellationJob, ExpiryJob, RetentionJob
from booking_workers.relay import Relay
from booking_workers.replay_dead_letters import replay_group

if TYPE_CHECKING:
    from booking_workers.message_spans import MessageSpans


def relay(parts: Composition) -> Relay:
    """The relay, with spans if this process has a tracer provider."""
    return Relay(parts.store, parts.event_bus, parts.settings.events_topic, spans=message_spans())


def consumer(parts: Composition) -> Consumer:
    """The consumer, with spans if this process has a tracer provider."""
    settings = parts.settings
    return Consumer(
        parts.store,
        parts.event_bus,
        topic=settings.payments_topic,
        group=settings.consumer_group,
        dead_letters=DeadLetters(parts.event_bus, settings.dead_letter_topic),
        terms=parts.terms,
        spans=message_spans(),
    )


def retention(parts: Composition) -> RetentionJob:
    """The retention job."""
    settings = parts.settings
    return RetentionJob(
        parts.store, idempotency_hours=settings.idempotency_hours, retention_days=settings.event_retention_days
    )


def bus_sampler(parts: Composition) -> BusSampler:
    """The sampler of what waits in the topics."""
    settings = parts.settings
    return BusSampler(
        parts.store,
        parts.event_bus,
        payments=(settings.payments_topic, settings.consumer_group),
        dead_letters=(settings.dead_letter_topic, replay_group(settings.consumer_group)),
    )


def all_jobs(parts: Composition) -> list[InstrumentedJob]:
    """Every job of `worker`; samplers for metrics only where `/metrics` is served."""
    store = parts.store
    jobs: list[Job] = [
        relay(parts),
        consumer(parts),
        ExpiryJob(store),
        CancellationJob(store),
        retention(parts),
        RefundSampler(store),
    ]
    if parts.settings.worker_port is not None:
        jobs += [StoreSampler(store), bus_sampler(parts)]
    return [InstrumentedJob(job) for job in jobs]


def message_spans() -> "MessageSpans | None":
    """Spans of messages; None if this process has no tracer provider."""
    provider = tracer_provider()
    if provider is None:
        return None
    from booking_workers.message_spans import MessageSpans  # here, because it imports OpenTelemetry

    return MessageSpans(provider)
