"""Settings: each one a field of one class that carries its reader, meaning and example (design, section 3).

The fields are the only list. The values of a process, the errors of commands and the documentation come from them.
"""

from collections.abc import Collection, Mapping
from datetime import timedelta
from functools import partial
from typing import Final, Self

from attrs import evolve, field, fields, frozen

from booking_core.domain.values import Terms
from booking_service import setting_readers as read
from booking_service.setting_fields import METADATA, PREFIX, Need, Setting, SettingsError, hidden, setting
from booking_telemetry.masking import masked_url, passwords_in

DB_CONNECTIONS: Final[Mapping[str, int]] = {"serve": 12, "worker": 3}
"""Default of BOOKING_DB_CONNECTIONS by command; every other command: 1."""

_MONTH_SECONDS: Final = 30 * 24 * 3600

_database = partial(setting, Need.DATABASE)
_bus = partial(setting, Need.EVENT_BUS)
_tokens = partial(setting, Need.TOKENS)
_terms = partial(setting, Need.TERMS)
_retention = partial(setting, Need.RETENTION)
_logs = partial(setting, Need.LOGS)


@frozen(kw_only=True)
class Settings:
    """Settings of one process, read once. The field `events_topic` is the variable BOOKING_EVENTS_TOPIC.

    A setting that the command does not need has its default, or None. `repr` and `str` conceal secrets. The order of
    the fields is that of the documentation and of errors.
    """

    database_url: str | None = _database(
        read.database_url,
        "the PostgreSQL to keep everything in, in any form that libpq takes"
        " (`booking dev` starts one of its own instead)",
        "postgresql://booking:secret@db.example.com/booking",
        required=True,
        conceal=masked_url,
    )
    db_connections: int = _database(
        read.whole_number(1, 1000),
        "the most connections that the command opens, all its processes and threads together"
        " (default: `serve` 12, `worker` 3, others 1)",
        "12",
        default="1",
    )
    event_bus: str = _bus(read.text, "name of the event-bus adapter (`memory` in `booking dev`)", default="kafka")
    kafka_bootstrap_servers: tuple[str, ...] | None = _bus(
        read.addresses,
        "brokers to ask first, comma-separated; the kafka adapter needs it",
        "broker-1.example.com:9092,broker-2.example.com:9092",
    )
    kafka_security_protocol: str = _bus(
        read.one_of("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
        "how to talk to the brokers",
        "SASL_SSL",
        default="PLAINTEXT",
    )
    kafka_sasl_mechanism: str | None = _bus(
        read.one_of("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"), "how to log in to the brokers", "SCRAM-SHA-512"
    )
    kafka_sasl_username: str | None = _bus(read.text, "user of the brokers", "booking")
    kafka_sasl_password: str | None = _bus(read.text, "password of that user", "…", conceal=hidden)
    kafka_ssl_cafile: str | None = _bus(
        read.text, "file with the certificates that the brokers' ones are checked against", "/etc/ssl/certs/brokers.pem"
    )
    events_topic: str = _bus(
        read.topic,
        "everything published, keyed by booking id (`event.cancelled`: by event id)",
        default="booking.events",
    )
    payments_topic: str = _bus(read.topic, "everything consumed, keyed by booking id", default="payment.events")
    dead_letter_topic: str = _bus(
        read.topic,
        "what was consumed and can't be parsed or applied",
        default="booking.dead-letters",
    )
    consumer_group: str = _bus(read.topic, "consumer group of all our consumers", default="booking-core")
    worker_port: int | None = setting(
        Need.HEALTH, read.whole_number(1, 65535), "port for health and metrics of `worker`; unset: none", "9100"
    )
    catalog_url: str | None = setting(
        Need.CATALOG,
        read.http_url,
        "base URL of the Catalog Service; unset: only what `booking catalog load` put into the database is known",
        "https://catalog.example.com",
        conceal=masked_url,
    )
    jwt_issuer: str | None = _tokens(
        read.http_url,
        "who signs the customers' tokens: their `iss`, character by character",
        "https://tenant.eu.auth0.com/",
        required=True,
    )
    jwt_audience: str | None = _tokens(
        read.text, "for whom the tokens must be meant: their `aud`", "https://booking.example.com", required=True
    )
    jwt_jwks_url: str | None = _tokens(
        read.http_url,
        "where the issuer's keys are; default: the issuer, then `.well-known/jwks.json`",
        "https://tenant.eu.auth0.com/.well-known/jwks.json",
        conceal=masked_url,
    )
    payment_window_seconds: int = _terms(
        read.whole_number(1, _MONTH_SECONDS), "how long a customer may take to pay (BR-02)", default="600"
    )
    processing_timeout_seconds: int = _terms(
        read.whole_number(1, _MONTH_SECONDS), "how long a payment in progress may take", default="300"
    )
    idempotency_hours: int = _retention(
        read.whole_number(1, 24 * 366), "how long an answer is kept under its Idempotency-Key", default="24"
    )
    event_retention_days: int = _retention(
        read.whole_number(1, 3660), "how long published events and the ids of consumed ones are kept", default="7"
    )
    cors_origins: tuple[str, ...] | None = setting(
        Need.HTTP,
        read.origins,
        "comma-separated origins whose pages may call the API; unset: none",
        "https://tickets.example.com",
    )
    group_size: int = setting(
        Need.HTTP,
        read.whole_number(1, 64),
        "the most reservations that `serve` makes in one transaction; 1: each has a transaction of its own",
        default="32",
    )
    stop_delay_seconds: int = setting(
        Need.HTTP,
        read.whole_number(0, 3600),
        "how long `serve` goes on serving after SIGTERM, not ready and with `Connection: close`, so that a load"
        " balancer removes it first",
        default="0",
    )
    log_level: str = _logs(read.one_of(*read.LOG_LEVELS), "the least important records that are logged", default="INFO")
    log_format: str = _logs(read.one_of("json", "console"), "`json`, or `console` for people", default="json")

    for_adapters: Mapping[str, str] = field(factory=dict, repr=False)
    """What adapters receive: every `BOOKING_…` variable as text, also those of foreign adapters, defaults included.

    A setting that the command does not need has its default here, or is absent.
    """

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], *, needs: Collection[Need], command: str = "") -> Self:
        """Read what `command` needs from the environment; an empty variable counts as not set.

        Settings of other needs are not read, so that a malformed one does not stop the command. Raises SettingsError
        for the first setting that is missing or malformed, in the order of the fields.
        """
        defaults = {each.name: each.default for each in SETTINGS if each.default is not None}
        defaults["BOOKING_DB_CONNECTIONS"] = str(DB_CONNECTIONS.get(command, 1))
        given = {name: value for name, value in environ.items() if name.startswith(PREFIX) and value}
        wanted = [each for each in SETTINGS if each.need in needs or each.need is Need.LOGS]
        values = {each.attribute: each.value(given.get(each.name, defaults.get(each.name))) for each in wanted}
        if Need.TOKENS in needs and values["jwt_jwks_url"] is None:
            values["jwt_jwks_url"] = values["jwt_issuer"].rstrip("/") + "/.well-known/jwks.json"
        if values.get("event_bus") == "kafka" and values["kafka_bootstrap_servers"] is None:
            raise _named("BOOKING_KAFKA_BOOTSTRAP_SERVERS").missing(" where BOOKING_EVENT_BUS is kafka")
        unread = {each.name for each in SETTINGS if each not in wanted}
        return cls(**values, for_adapters=defaults | {name: given[name] for name in given.keys() - unread})

    def sharing_connections(self, processes: int) -> Self:
        """Divide BOOKING_DB_CONNECTIONS by the number of processes: the settings of one of them.

        Raises SettingsError if that leaves a process without a connection.
        """
        share = self.db_connections // processes
        if share == 0:
            problem = f"must be at least {processes}, one for each of {processes} processes, not {self.db_connections}"
            raise SettingsError(f"BOOKING_DB_CONNECTIONS {problem} (for example 12)")
        for_adapters = {**self.for_adapters, "BOOKING_DB_CONNECTIONS": str(share)}
        return evolve(self, db_connections=share, for_adapters=for_adapters)

    @property
    def terms(self) -> Terms:
        """Payment window and processing timeout."""
        return Terms(
            payment_window=timedelta(seconds=self.payment_window_seconds),
            processing_timeout=timedelta(seconds=self.processing_timeout_seconds),
        )

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every text that must not reach a log."""
        values = ((each, getattr(self, each.attribute)) for each in SETTINGS if each.is_secret)
        return tuple(
            secret
            for each, value in values
            if value
            for secret in ((value,) if each.conceal is hidden else passwords_in(value))
        )


SETTINGS: Final[tuple[Setting, ...]] = tuple(
    each.metadata[METADATA](name=PREFIX + each.name.upper()) for each in fields(Settings) if each.metadata
)
"""Every setting, in the order of the fields."""


def required(value: str | None, name: str) -> str:
    """Return the value of a setting that the caller cannot do without. Raises SettingsError if it is not set."""
    if value is None:
        raise _named(name).missing()
    return value


def _named(name: str) -> Setting:
    return next(each for each in SETTINGS if each.name == name)
