"""Every setting in one table (design, section 3): the documentation is made from it, and so are the values."""

from collections.abc import Callable
from enum import Enum
from typing import Any, Final

from attrs import frozen

from booking_service import settings_text
from booking_service.settings_text import addresses, database_url, http_url, one_of, origins, text, topic, whole_number
from booking_telemetry.masking import masked_url

PREFIX: Final = "BOOKING_"
_A_MONTH: Final = 30 * 24 * 3600


class Need(Enum):
    """What a command may need; settings of other needs are not even looked at."""

    DATABASE = "database"
    EVENT_BUS = "event bus"
    CATALOG = "catalog"
    TOKENS = "tokens"
    TERMS = "terms"
    RETENTION = "retention"
    HTTP = "http"
    HEALTH = "health"
    LOGS = "logs"


@frozen(kw_only=True)
class Setting:
    """One setting. `default` is text as it would stand in the environment; None: it has none.

    `required`: a command with this need does not start without it. `conceal` makes the value fit to be shown.
    """

    name: str
    need: Need
    read: Callable[[str], Any]
    meaning: str
    example: str
    default: str | None = None
    required: bool = False
    conceal: Callable[[str], str] | None = None

    @property
    def attribute(self) -> str:
        """Its name in Settings."""
        return self.name.removeprefix(PREFIX).lower()

    @property
    def is_secret(self) -> bool:
        """It holds, or may hold, what no log and no screen may show."""
        return self.conceal is not None


def hidden(_: str) -> str:
    """Nothing of it may be shown."""
    return "***"


SETTINGS: Final = (
    Setting(
        name="BOOKING_DATABASE_URL",
        need=Need.DATABASE,
        read=database_url,
        required=True,
        conceal=masked_url,
        meaning="the PostgreSQL to keep everything in (`booking dev` starts one of its own instead)",
        example="postgresql://booking:secret@db.example.com/booking",
    ),
    Setting(
        name="BOOKING_DB_CONNECTIONS",
        need=Need.DATABASE,
        read=whole_number(1, 1000),
        default="1",
        meaning="the most connections that the command opens, all its processes and threads together"
        " (default: `serve` 12, `worker` 3, others 1)",
        example="12",
    ),
    Setting(
        name="BOOKING_EVENT_BUS",
        need=Need.EVENT_BUS,
        read=text,
        default="kafka",
        meaning="name of the event-bus adapter (`memory` in `booking dev`)",
        example="kafka",
    ),
    Setting(
        name="BOOKING_KAFKA_BOOTSTRAP_SERVERS",
        need=Need.EVENT_BUS,
        read=addresses,
        meaning="brokers to ask first, comma-separated; the kafka adapter needs it",
        example="broker-1.example.com:9092,broker-2.example.com:9092",
    ),
    Setting(
        name="BOOKING_KAFKA_SECURITY_PROTOCOL",
        need=Need.EVENT_BUS,
        read=one_of("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
        default="PLAINTEXT",
        meaning="how to talk to the brokers",
        example="SASL_SSL",
    ),
    Setting(
        name="BOOKING_KAFKA_SASL_MECHANISM",
        need=Need.EVENT_BUS,
        read=one_of("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"),
        meaning="how to log in to the brokers",
        example="SCRAM-SHA-512",
    ),
    Setting(
        name="BOOKING_KAFKA_SASL_USERNAME",
        need=Need.EVENT_BUS,
        read=text,
        meaning="user of the brokers",
        example="booking",
    ),
    Setting(
        name="BOOKING_KAFKA_SASL_PASSWORD",
        need=Need.EVENT_BUS,
        read=text,
        conceal=hidden,
        meaning="password of that user",
        example="…",
    ),
    Setting(
        name="BOOKING_KAFKA_SSL_CAFILE",
        need=Need.EVENT_BUS,
        read=text,
        meaning="file with the certificates that the brokers' ones are checked against",
        example="/etc/ssl/certs/brokers.pem",
    ),
    Setting(
        name="BOOKING_EVENTS_TOPIC",
        need=Need.EVENT_BUS,
        read=topic,
        default="booking.events",
        meaning="everything published, keyed by booking id (`event.cancelled`: by event id)",
        example="booking.events",
    ),
    Setting(
        name="BOOKING_PAYMENTS_TOPIC",
        need=Need.EVENT_BUS,
        read=topic,
        default="payment.events",
        meaning="everything consumed, keyed by booking id",
        example="payment.events",
    ),
    Setting(
        name="BOOKING_DEAD_LETTER_TOPIC",
        need=Need.EVENT_BUS,
        read=topic,
        default="booking.dead-letters",
        meaning="what was consumed and can't be parsed or applied",
        example="booking.dead-letters",
    ),
    Setting(
        name="BOOKING_CONSUMER_GROUP",
        need=Need.EVENT_BUS,
        read=topic,
        default="booking-core",
        meaning="consumer group of all our consumers",
        example="booking-core",
    ),
    Setting(
        name="BOOKING_WORKER_PORT",
        need=Need.HEALTH,
        read=whole_number(1, 65535),
        meaning="port for health and metrics of `worker`; unset: none",
        example="9100",
    ),
    Setting(
        name="BOOKING_CATALOG_URL",
        need=Need.CATALOG,
        read=http_url,
        conceal=masked_url,
        meaning="base URL of the Catalog Service; unset: only what `booking catalog load` put into the database"
        " is known",
        example="https://catalog.example.com",
    ),
    Setting(
        name="BOOKING_JWT_ISSUER",
        need=Need.TOKENS,
        read=http_url,
        required=True,
        meaning="who signs the customers' tokens: their `iss`, character by character",
        example="https://tenant.eu.auth0.com/",
    ),
    Setting(
        name="BOOKING_JWT_AUDIENCE",
        need=Need.TOKENS,
        read=text,
        required=True,
        meaning="for whom the tokens must be meant: their `aud`",
        example="https://booking.example.com",
    ),
    Setting(
        name="BOOKING_JWT_JWKS_URL",
        need=Need.TOKENS,
        read=http_url,
        conceal=masked_url,
        meaning="where the issuer's keys are; default: the issuer, then `.well-known/jwks.json`",
        example="https://tenant.eu.auth0.com/.well-known/jwks.json",
    ),
    Setting(
        name="BOOKING_PAYMENT_WINDOW_SECONDS",
        need=Need.TERMS,
        read=whole_number(1, _A_MONTH),
        default="600",
        meaning="how long a customer may take to pay (BR-02)",
        example="600",
    ),
    Setting(
        name="BOOKING_PROCESSING_TIMEOUT_SECONDS",
        need=Need.TERMS,
        read=whole_number(1, _A_MONTH),
        default="300",
        meaning="how long a payment in progress may take",
        example="300",
    ),
    Setting(
        name="BOOKING_IDEMPOTENCY_HOURS",
        need=Need.RETENTION,
        read=whole_number(1, 24 * 366),
        default="24",
        meaning="how long an answer is kept under its Idempotency-Key",
        example="24",
    ),
    Setting(
        name="BOOKING_EVENT_RETENTION_DAYS",
        need=Need.RETENTION,
        read=whole_number(1, 3660),
        default="7",
        meaning="how long published events and the ids of consumed ones are kept",
        example="7",
    ),
    Setting(
        name="BOOKING_CORS_ORIGINS",
        need=Need.HTTP,
        read=origins,
        meaning="comma-separated origins whose pages may call the API; unset: none",
        example="https://tickets.example.com",
    ),
    Setting(
        name="BOOKING_LOG_LEVEL",
        need=Need.LOGS,
        read=one_of(*settings_text.LOG_LEVELS),
        default="INFO",
        meaning="the least important records that are logged",
        example="INFO",
    ),
    Setting(
        name="BOOKING_LOG_FORMAT",
        need=Need.LOGS,
        read=one_of("json", "console"),
        default="json",
        meaning="`json`, or `console` for people",
        example="json",
    ),
)
"""In the order in which they are documented and complained about."""
