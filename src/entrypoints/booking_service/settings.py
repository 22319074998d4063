"""The configuration of a process: read once, checked at once, and never again (design, section 3)."""

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any, Final, Self

from attrs import evolve, field, fields, frozen

from booking_core.domain.values import Terms
from booking_service.settings_table import PREFIX, SETTINGS, Need, Setting, hidden
from booking_telemetry.masking import masked_url, passwords_in

DB_CONNECTIONS: Final[Mapping[str, int]] = {"serve": 12, "worker": 3}
"""BOOKING_DB_CONNECTIONS where it is not set; every other command: 1."""

_SHOWN: Final = 60


class SettingsError(Exception):
    """A setting is missing or malformed. The text is one line: its name, what is wrong, an example; no secret."""


def _masked(value: str | None) -> str:
    return repr(value and masked_url(value))


def _hidden(value: str | None) -> str:
    return repr(value and hidden(value))


@frozen(kw_only=True)
class Settings:
    """All settings of design section 3, by the names there in small letters and without prefix.

    What a command does not need has its default, or None. Neither `repr` nor `str` shows a secret; `for_adapters` is
    what adapters are given: every `BOOKING_…` variable as text, those of foreign adapters too, defaults included;
    what the command does not need has its default there, or is absent.
    """

    database_url: str | None = field(default=None, repr=_masked)
    db_connections: int = 1
    event_bus: str = "kafka"
    kafka_bootstrap_servers: tuple[str, ...] | None = None
    kafka_security_protocol: str = "PLAINTEXT"
    kafka_sasl_mechanism: str | None = None
    kafka_sasl_username: str | None = None
    kafka_sasl_password: str | None = field(default=None, repr=_hidden)
    kafka_ssl_cafile: str | None = None
    events_topic: str = "booking.events"
    payments_topic: str = "payment.events"
    dead_letter_topic: str = "booking.dead-letters"
    consumer_group: str = "booking-core"
    worker_port: int | None = None
    catalog_url: str | None = field(default=None, repr=_masked)
    jwt_issuer: str | None = None
    jwt_audience: str | None = None
    jwt_jwks_url: str | None = field(default=None, repr=_masked)
    payment_window_seconds: int = 600
    processing_timeout_seconds: int = 300
    idempotency_hours: int = 24
    event_retention_days: int = 7
    cors_origins: tuple[str, ...] | None = None
    log_level: str = "INFO"
    log_format: str = "json"
    for_adapters: Mapping[str, str] = field(factory=dict, repr=False)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], *, needs: Collection[Need], command: str = "") -> Self:
        """What `command` needs, from the environment; an empty variable is the same as none.

        Settings of other needs are not looked at, whatever they hold. Raises SettingsError for the first that is
        missing or malformed, in the order of the table.
        """
        defaults = {"BOOKING_DB_CONNECTIONS": str(DB_CONNECTIONS.get(command, 1))}
        given = {name: value for name, value in environ.items() if name.startswith(PREFIX) and value}
        values: dict[str, Any] = {}
        for setting in SETTINGS:
            default = defaults.get(setting.name, setting.default)
            if default is not None:
                defaults[setting.name] = default
            if setting.need in needs or setting.need is Need.LOGS:
                values[setting.attribute] = value_of(setting, given.get(setting.name, default))
        if Need.TOKENS in needs and values["jwt_jwks_url"] is None:
            values["jwt_jwks_url"] = values["jwt_issuer"].rstrip("/") + "/.well-known/jwks.json"
        if values.get("event_bus") == "kafka" and values["kafka_bootstrap_servers"] is None:
            raise _missing(_setting("BOOKING_KAFKA_BOOTSTRAP_SERVERS"), " where BOOKING_EVENT_BUS is kafka")
        unread = {each.name for each in SETTINGS if each.attribute not in values}
        return cls(**values, for_adapters=defaults | {name: given[name] for name in given.keys() - unread})

    def sharing_connections(self, processes: int) -> Self:
        """The settings of one of several processes that share BOOKING_DB_CONNECTIONS.

        Raises SettingsError where there is not one connection for each.
        """
        share = self.db_connections // processes
        if share == 0:
            problem = f"must be at least {processes}, one for each of {processes} processes, not {self.db_connections}"
            raise SettingsError(f"BOOKING_DB_CONNECTIONS {problem} (for example 12)")
        return evolve(
            self, db_connections=share, for_adapters={**self.for_adapters, "BOOKING_DB_CONNECTIONS": str(share)}
        )

    @property
    def terms(self) -> Terms:
        """How long customers have to pay."""
        return Terms(
            payment_window=timedelta(seconds=self.payment_window_seconds),
            processing_timeout=timedelta(seconds=self.processing_timeout_seconds),
        )

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every text that must not reach a log."""
        urls = (self.database_url, self.catalog_url, self.jwt_jwks_url)
        found = [password for url in urls if url for password in passwords_in(url)]
        return (*found, self.kafka_sasl_password) if self.kafka_sasl_password else tuple(found)


def required(value: str | None, name: str) -> str:
    """The value of a setting that this path of the program cannot do without. Raises SettingsError."""
    if value is None:
        raise _missing(_setting(name))
    return value


def value_of(setting: Setting, written: str | None) -> Any:
    """What is written, read as this setting; None stands for nothing written. Raises SettingsError."""
    if written is None:
        if setting.required:
            raise _missing(setting)
        return None
    try:
        return setting.read(written)
    except ValueError as problem:
        shown = "" if setting.is_secret else f", not {written[:_SHOWN]!r}"
        raise SettingsError(f"{setting.name} {problem}{shown} (for example {setting.example})") from None


def _missing(setting: Setting, where: str = "") -> SettingsError:
    return SettingsError(
        f"{setting.name} is not set, and must be{where}: {setting.meaning} (for example {setting.example})"
    )


def _setting(name: str) -> Setting:
    return next(setting for setting in SETTINGS if setting.name == name)


# The table and the class are two views of one list: a name in one alone is a mistake of ours, seen at the first import.
_UNMATCHED = {setting.attribute for setting in SETTINGS} ^ ({each.name for each in fields(Settings)} - {"for_adapters"})
if _UNMATCHED:
    raise TypeError(f"settings that are not both in the table and in Settings: {_UNMATCHED}")
