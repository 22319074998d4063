"""`booking dev`: the API, the workers and simulated payments in one process, beside an embedded PostgreSQL."""

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
from booking_dev.instructions import Ready, environment_file, instructions
from booking_dev.payments import PaymentSimulator, RefundSimulator
from booking_dev.routes import add_dev_routes
from booking_dev.samples import HALL_ID, sample_events
from booking_dev.server import PortTaken, listening, serving
from booking_dev.tokens import AUDIENCE, ISSUER, DevKeyUnusable, DevTokens
from booking_postgres_embedded import EmbeddedPostgres, EmbeddedPostgresError
from booking_service import worker_jobs
from booking_service.catalog_file import load_event
from booking_service.composition import Composition
from booking_service.doctor.settings import DEV_URL
from booking_service.setting_fields import Need
from booking_service.settings import Settings
from booking_telemetry import logs
from booking_workers.jobs import Job, run_together
from booking_workers.maintenance import CancellationJob, ExpiryJob
from booking_workers.stop_signals import StopSignals

_log = structlog.get_logger(__name__)

_NEEDS: Final = tuple(need for need in Need if need is not Need.HEALTH)
# More than the 12 of `serve`, because the workers use them too, and fewer than the 20 that the spec allows.
_CONNECTIONS: Final = "16"
_THREADS: Final = 48
# `booking worker` expires holds every 60 s; that is too long for an interactive user.
_EXPIRY_EVERY_SECONDS: Final = 5.0
_STOP_TIMEOUT_SECONDS: Final = 1.5
_SIGNAL_CHECK_SECONDS: Final = 0.1
_PLACEHOLDER_URL: Final = "postgresql://127.0.0.1/booking"


class CannotStart(Exception):
    """`booking dev` cannot start, and nothing of it runs. The text is one line for operators."""


@frozen(kw_only=True)
class DevOptions:
    """Address to listen on, directory for all data, and Kafka brokers; None: the memory bus.

    `payment_window_seconds`: how long a hold lasts; None: as the environment says.
    """

    host: str
    port: int
    data_dir: Path
    kafka: str | None = None
    payment_window_seconds: int | None = None


def run_dev(
    options: DevOptions,
    environ: Mapping[str, str],
    announce: Callable[[str], None],
    compose: Callable[[Settings], Composition] = Composition,
) -> None:
    """Run until SIGTERM or SIGINT; `announce` receives the instructions to print once everything is ready.

    Database, bus and issuer of tokens are the command's own; other settings come from `environ`. Raises SettingsError
    and CannotStart, and KeyboardInterrupt for a signal before everything is ready; then nothing of it runs.
    """
    _settings(options, environ, _PLACEHOLDER_URL)  # report a malformed setting before anything starts
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
        with signals.interrupting():
            listener = stack.enter_context(listening(options.host, options.port))
            tokens = DevTokens(data_dir, ISSUER, AUDIENCE)
            postgres = stack.enter_context(EmbeddedPostgres(data_dir))
            composition = stack.enter_context(compose(_settings(options, environ, postgres.url)))
            _check_topics(composition)
            _prepare(composition)
            payments = PaymentSimulator(composition.store, composition.event_bus, composition.settings.payments_topic)
            verifier = TokenVerifier(issuer=ISSUER, audience=AUDIENCE, keys=FixedKeys(tokens.jwks()))
            app = create_app(composition.service(), verifier)
            add_dev_routes(app, payments=payments, tokens=tokens)
            # The API ends before the workers, so that they still process what it has answered.
            stack.enter_context(_running(_jobs(composition)))
            environment = stack.enter_context(
                environment_file(data_dir, _settings_of_others(options, postgres.url, listener.url))
            )
            stack.enter_context(serving(app, listener, threads=_THREADS))
        if signals.should_continue():
            ready = Ready(
                url=listener.url,
                event_id=HALL_ID,
                alice=tokens.sign("alice"),
                data_dir=data_dir,
                database=postgres.location,
                environment=environment,
            )
            announce(instructions(ready))
        # Short sleeps: Python handles a signal that arrives just before a sleep only after it.
        while signals.should_continue():
            time.sleep(_SIGNAL_CHECK_SECONDS)


def _check_topics(composition: Composition) -> None:
    """Raise CannotStart if a topic cannot be read, so that the error appears once and not in the log of each worker."""
    settings = composition.settings
    for topic in (settings.events_topic, settings.payments_topic, settings.dead_letter_topic):
        try:
            composition.event_bus.backlog(topic, settings.consumer_group)
        except BusUnavailable as error:
            raise CannotStart(str(error)) from error


def _prepare(composition: Composition) -> None:
    """Migrate the schema, and load the sample events with new start times. Their bookings stay."""
    for step in composition.store.upkeep.migrate():
        _log.info("dev.migrated", step=step)
    for sample in sample_events(datetime.now(UTC)):
        load_event(sample, store=composition.store)


@contextmanager
def _running(jobs: Sequence[Job]) -> Iterator[None]:
    """Run the jobs in threads until the end of the block."""
    stop = threading.Event()
    timeout = {"stop_timeout": _STOP_TIMEOUT_SECONDS}
    thread = threading.Thread(target=run_together, args=(jobs, stop), kwargs=timeout, name="workers", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _jobs(composition: Composition) -> Sequence[Job]:
    settings = composition.settings
    return [
        worker_jobs.relay(composition),
        worker_jobs.consumer(composition),
        ExpiryJob(composition.store, every_seconds=_EXPIRY_EVERY_SECONDS),
        CancellationJob(composition.store),
        worker_jobs.retention(composition),
        RefundSimulator(
            composition.event_bus, events_topic=settings.events_topic, payments_topic=settings.payments_topic
        ),
    ]


def _settings(options: DevOptions, environ: Mapping[str, str], database_url: str) -> Settings:
    """Read the environment with the defaults and fixed values of `dev`, and configure the logs by it."""
    given = {name: value for name, value in environ.items() if value}
    defaults = {
        "BOOKING_DB_CONNECTIONS": _CONNECTIONS,
        "BOOKING_LOG_LEVEL": "WARNING",
        "BOOKING_LOG_FORMAT": "console",
    }
    fixed = {
        "BOOKING_DATABASE_URL": database_url,
        **_bus(options.kafka),
        "BOOKING_JWT_ISSUER": ISSUER,
        "BOOKING_JWT_AUDIENCE": AUDIENCE,
    }
    if options.payment_window_seconds is not None:
        fixed["BOOKING_PAYMENT_WINDOW_SECONDS"] = str(options.payment_window_seconds)
    settings = Settings.from_environ({**defaults, **given, **fixed}, needs=_NEEDS, command="dev")
    logs.configure(settings.log_level, settings.log_format, settings.secrets)
    return settings


def _settings_of_others(options: DevOptions, database_url: str, url: str) -> Mapping[str, str]:
    """Settings with which other commands use this database, these tokens and the brokers.

    They cannot reach the memory bus; BOOKING_DEV_URL, which is no setting, tells `doctor` why there is none.
    """
    return {
        "BOOKING_DATABASE_URL": database_url,
        "BOOKING_JWT_ISSUER": ISSUER,
        "BOOKING_JWT_AUDIENCE": AUDIENCE,
        "BOOKING_JWT_JWKS_URL": f"{url}/.well-known/jwks.json",
        DEV_URL: url,
        **(_bus(options.kafka) if options.kafka else {}),
    }


def _bus(kafka: str | None) -> Mapping[str, str]:
    if kafka is None:
        return {"BOOKING_EVENT_BUS": "memory"}
    return {"BOOKING_EVENT_BUS": "kafka", "BOOKING_KAFKA_BOOTSTRAP_SERVERS": kafka}
