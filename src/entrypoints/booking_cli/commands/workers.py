"""`booking worker`, `relay`, `consume` and `expire`: the jobs that run beside the API."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

from booking_cli.invocation import CommandFailed, Invocation, example, pass_invocation
from booking_cli.printing import counted, json_option, print_json, print_line
from booking_service.composition import Composition
from booking_service.setting_fields import Need
from booking_workers.stop_signals import StopSignals

# Jobs are imported where they start: help and completion do not need them, and the import takes half a second.
if TYPE_CHECKING:
    from booking_workers.jobs import Job, OnStart


@click.command(epilog=example("booking worker"))
@pass_invocation
def worker(invocation: Invocation) -> None:
    """Relay, consumer, expiry, closures, pruning and a watch on refunds in one process, until SIGTERM.

    With BOOKING_WORKER_PORT it answers /healthz, /readyz and /metrics there, on every address of the machine.
    """
    from booking_service import worker_jobs
    from booking_telemetry import otel

    needs = (Need.DATABASE, Need.EVENT_BUS, Need.TERMS, Need.RETENTION, Need.HEALTH)
    with invocation.composition("worker", *needs) as composition, StopSignals() as signals:
        otel.switch_on("booking-worker")
        jobs = worker_jobs.all_jobs(composition)
        with _health(composition, jobs, signals) as on_start:
            _run("worker", jobs, signals, on_start, bus=composition.settings.event_bus)


@click.command(epilog=example("booking relay"))
@pass_invocation
def relay(invocation: Invocation) -> None:
    """Publish stored events, until SIGTERM."""
    from booking_service import worker_jobs
    from booking_telemetry import otel

    with invocation.composition("relay", Need.DATABASE, Need.EVENT_BUS) as composition, StopSignals() as signals:
        otel.switch_on("booking-relay")
        _run("relay", [worker_jobs.relay(composition)], signals, bus=composition.settings.event_bus)


@click.command(epilog=example("booking consume"))
@pass_invocation
def consume(invocation: Invocation) -> None:
    """Apply the messages of the Payment Service, until SIGTERM."""
    from booking_service import worker_jobs
    from booking_telemetry import otel

    needs = (Need.DATABASE, Need.EVENT_BUS, Need.TERMS)
    with invocation.composition("consume", *needs) as composition, StopSignals() as signals:
        otel.switch_on("booking-consume")
        _run("consume", [worker_jobs.consumer(composition)], signals)


@click.command(epilog=example("booking expire", "booking expire --every 60"))
@click.option("--every", type=click.FloatRange(0.1, 86_400), metavar="SECONDS", help="Repeat until SIGTERM.")
@json_option
@pass_invocation
def expire(invocation: Invocation, every: float | None, as_json: bool) -> None:
    """End the reservations whose time to pay has run out, and print what was done. Needs the database alone."""
    from booking_workers.maintenance import ExpiryJob

    name = "expire" if every is None else "expire --every"
    with invocation.composition(name, Need.DATABASE) as composition, StopSignals() as signals:
        expiry = ExpiryJob(composition.store, every_seconds=every or 0.0)
        if every is None:
            expiry.run_once(signals.should_continue)
        else:
            _run("expire", [expiry], signals)
    if as_json:
        print_json({"expired": expiry.expired, "seatsReleased": expiry.seats_released})
    else:
        print_line(f"{counted(expiry.expired, 'booking')} expired, {counted(expiry.seats_released, 'seat')} released")
    if every is None and signals.requested:
        raise CommandFailed("stopped before the end; what is printed is done, run it again for the rest")


# The memory bus is for `booking dev`, whose subscribers run in the same process.
_MEMORY: Final = "BOOKING_EVENT_BUS=memory: events are marked as published and nobody outside this process gets them"


@contextmanager
def _health(composition: Composition, jobs: "Sequence[Job]", signals: StopSignals) -> "Iterator[OnStart | None]":
    """Serve the endpoint until the end of the block, if a port is set; yield the observer of the jobs' threads."""
    port = composition.settings.worker_port
    if port is None:
        yield None
        return
    from booking_workers import health
    from booking_workers.metrics import metrics_renderer

    metrics = metrics_renderer(jobs, composition.store)
    try:
        with health.serve_health(port, composition.store, signals.should_continue, metrics=metrics) as on_start:
            yield on_start
    except health.PortTaken as error:
        raise CommandFailed(f"BOOKING_WORKER_PORT: {error}") from error


def _run(
    name: str,
    jobs: "Sequence[Job]",
    signals: StopSignals,
    on_start: "OnStart | None" = None,
    *,
    bus: str | None = None,
) -> None:
    """Run the jobs until a signal. `bus` is the name of the bus that they publish to. Raises CommandFailed."""
    import structlog

    from booking_workers.jobs import run_together

    log = structlog.get_logger(__name__)
    log.info(f"{name}.started", jobs=[job.name for job in jobs])
    if bus == "memory":
        log.warning("bus.memory", detail=_MEMORY)
    if not run_together(jobs, signals.flag(), on_start=on_start):
        raise CommandFailed("not everything could be stopped in time; nothing is lost, see the log above")
    log.info(f"{name}.stopped")
