"""`booking dev`: everything on one machine, in one process and its PostgreSQL, with nothing else installed."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog
from attrs import frozen

from booking_api.app import create_app
from booking_api.auth.keys import FixedKeys
from booking_api.auth.verifier import TokenVerifier
from booking_core.domain.errors import BusUnavailable
from booking_dev.environment import environment_file
from booking_dev.payments import PaymentSimulator, RefundSimulator
from booking_dev.routes import add_dev_routes
from booking_dev.samples import HALL_ID, sample_events
from booking_dev.server import PortTaken, listening, serving
from booking_dev.tokens import AUDIENCE, ISSUER, DevKeyUnusable, DevTokens
from booking_dev.walk import Ready, walk
from booking_postgres_embedded import EmbeddedPostgres, EmbeddedPostgresError
from booking_service import worker_jobs
from booking_service.catalog_file import load_event
from booking_service.composition import Composition
from booking_service.settings import Need, Settings
from booking_telemetry import logs
from booking_workers.jobs import Job, run_together
from booking_workers.maintenance import CancellationJob, ExpiryJob
from booking_workers.stop_signals import StopSignals

_log = structlog.get_logger(__name__)

_NEEDS: Final = tuple(need for need in Need if need is not Need.HEALTH)
# More than a `serve` has, for the workers are here as well; within the 20 of the spec.
_CONNECTIONS: Final = "16"
_THREADS: Final = 48
# Nobody wants to watch an expired hold for a minute.
_SWEEP_EVERY_SECONDS: Final = 5.0
_STOPS_WITHIN_SECONDS: Final = 1.5
_LOOKS_EVERY_SECONDS: Final = 0.1
_NOT_STARTED: Final = "postgresql://127.0.0.1/booking"


class CannotStart(Exception):
    """`booking dev` can't start. The text is one line for a person; nothing of ours runs."""


@frozen(kw_only=True)
class DevOptions:
    """Where to listen, where everything is kept, and brokers to use; None: the bus is in this process."""

    host: str
    port: int
    data_dir: Path
    kafka: str | None = None


def run_dev(
    options: DevOptions,
    environ: Mapping[str, str],
    announce: Callable[[str], None],
    compose: Callable[[Settings], Composition] = Composition,
) -> None:
    """Run until SIGTERM or SIGINT; `announce` is told what to print, once everything answers.

    Raises SettingsError, CannotStart. Settings of `environ` are honoured but for what is this command's own: database,
    bus, and issuer of tokens.
    """
    _settings(options, environ, _NOT_STARTED)  # what is malformed is said before anything is started
    try:
        _run(options, environ, announce, compose)
    except (PortTaken, EmbeddedPostgresError, DevKeyUnusable) as error:
        raise CannotStart(str(error)) from error
    except OSError as error:
        raise CannotStart(f"cannot use {options.data_dir}: {error.strerror or error}") from error


def _run(
    options: DevOptions,
    environ: Mapping[str, str],
    announce: Callable[[str], None],
    compose: Callable[[Settings], Composition],
) -> None:
    data_dir = options.data_dir.absolute()
    with ExitStack() as stack:
        signals = stack.enter_context(StopSignals())
        listener = stack.enter_context(listening(options.host, options.port))
        tokens = DevTokens(data_dir, ISSUER, AUDIENCE)
        postgres = stack.enter_context(EmbeddedPostgres(data_dir))
        parts = stack.enter_context(compose(_settings(options, environ, postgres.url)))
        _find_topics(parts)
        _prepare(parts)
        payments = PaymentSimulator(parts.store, parts.event_bus, parts.settings.payments_topic)
        verifier = TokenVerifier(issuer=ISSUER, audience=AUDIENCE, keys=FixedKeys(tokens.jwks()))
        app = create_app(parts.service(), verifier)
        add_dev_routes(app, payments=payments, tokens=tokens)
        # What ends first is the API: nobody is promised anything that the workers then would not do.
        stack.enter_context(_working(_jobs(parts)))
        for_others = stack.enter_context(environment_file(data_dir, _found_by_others(options, postgres.url)))
        stack.enter_context(serving(app, listener, threads=_THREADS))
        if signals.should_continue():
            ready = Ready(
                url=listener.url,
                event_id=HALL_ID,
                alice=tokens.sign("alice"),
                data_dir=data_dir,
                database=postgres.location,
                environment=for_others,
            )
            announce(walk(ready))
        # Not one long wait: a signal that arrives just before it begins is seen by Python only when it ends.
        while signals.should_continue():
            time.sleep(_LOOKS_EVERY_SECONDS)


def _find_topics(parts: Composition) -> None:
    """Raises CannotStart if the bus cannot be used: better said at once than by every worker again and again."""
    settings = parts.settings
    for topic in (settings.events_topic, settings.payments_topic, settings.dead_letter_topic):
        try:
            parts.event_bus.backlog(topic, settings.consumer_group)
        except BusUnavailable as error:
            raise CannotStart(str(error)) from error


def _prepare(parts: Composition) -> None:
    """The schema, and sample events that start as far from now as they always do. Their bookings stay."""
    for step in parts.store.upkeep.migrate():
        _log.info("dev.migrated", step=step)
    for sample in sample_events(datetime.now(UTC)):
        load_event(sample, store=parts.store)


@contextmanager
def _working(jobs: Sequence[Job]) -> Iterator[None]:
    """The jobs run until the end of the block, each in a thread of its own."""
    stop = threading.Event()
    timeout = {"stop_timeout": _STOPS_WITHIN_SECONDS}
    thread = threading.Thread(target=run_together, args=(jobs, stop), kwargs=timeout, name="workers", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _jobs(parts: Composition) -> Sequence[Job]:
    settings = parts.settings
    return [
        worker_jobs.relay(parts),
        worker_jobs.consumer(parts),
        ExpiryJob(parts.store, every_seconds=_SWEEP_EVERY_SECONDS),
        CancellationJob(parts.store),
        worker_jobs.retention(parts),
        RefundSimulator(parts.event_bus, events_topic=settings.events_topic, payments_topic=settings.payments_topic),
    ]


def _settings(options: DevOptions, environ: Mapping[str, str], database_url: str) -> Settings:
    """From the environment, with what is different in `dev`; logs follow them from now on."""
    given = {name: value for name, value in environ.items() if value}
    defaults = {
        "BOOKING_DB_CONNECTIONS": _CONNECTIONS,
        "BOOKING_LOG_LEVEL": "WARNING",
        "BOOKING_LOG_FORMAT": "console",
    }
    ours = {
        "BOOKING_DATABASE_URL": database_url,
        **_bus(options.kafka),
        "BOOKING_JWT_ISSUER": ISSUER,
        "BOOKING_JWT_AUDIENCE": AUDIENCE,
    }
    settings = Settings.from_environ({**defaults, **given, **ours}, needs=_NEEDS, command="dev")
    logs.configure(settings.log_level, settings.log_format, settings.secrets)
    return settings


def _found_by_others(options: DevOptions, database_url: str) -> Mapping[str, str]:
    """What the other commands need to know. Not of the in-process bus: theirs would be another one."""
    return {"BOOKING_DATABASE_URL": database_url, **(_bus(options.kafka) if options.kafka else {})}


def _bus(kafka: str | None) -> Mapping[str, str]:
    if kafka is None:
        return {"BOOKING_EVENT_BUS": "memory"}
    return {"BOOKING_EVENT_BUS": "kafka", "BOOKING_KAFKA_BOOTSTRAP_SERVERS": kafka}
