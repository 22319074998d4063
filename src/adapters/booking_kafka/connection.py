"""Connections to the brokers: `BOOKING_KAFKA_…`, the settings and limits of the clients, and their errors.

Importing this module needs no client library.
"""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from attrs import field, frozen

from booking_core.domain.errors import BusUnavailable, InvalidValue

# The settings below survived kills and freezes of brokers without a lost or doubled message.
ANY_CLIENT: Final[Mapping[str, Any]] = {
    "client_id": "booking-core",
    # The newest protocol that is needed; naming it saves the client some requests at every start.
    "api_version": (2, 6),
    # The default of 30 s would delay the recovery from an outage by as much.
    "reconnect_backoff_max_ms": 1000,
    # A mistyped name must not become a topic, with one partition.
    "allow_auto_create_topics": False,
}

PRODUCER: Final[Mapping[str, Any]] = {
    **ANY_CLIENT,
    "acks": "all",
    "enable_idempotence": True,
    # The client must never expire a batch: with idempotence on, it delivers nothing afterwards.
    "delivery_timeout_ms": 2**31 - 1,
    "request_timeout_ms": 10_000,
    "max_block_ms": 5000,
    "linger_ms": 5,
    "batch_size": 131_072,
    "compression_type": "lz4",
}

CONSUMER: Final[Mapping[str, Any]] = {
    **ANY_CLIENT,
    "enable_auto_commit": False,
    "auto_offset_reset": "earliest",
    "session_timeout_ms": 10_000,
    "heartbeat_interval_ms": 3000,
    # Between two polls; a member that takes longer loses its partitions to the others.
    "max_poll_interval_ms": 300_000,
    "max_poll_records": 500,
    # Messages of transactions that the sender aborted are not delivered.
    "isolation_level": "read_committed",
    # A topic that is created, or gets partitions, after the start is found after so long.
    "metadata_max_age_ms": 30_000,
}

_PREFIX: Final = "BOOKING_KAFKA_"
_SERVERS: Final = f"{_PREFIX}BOOTSTRAP_SERVERS"
_PROTOCOL: Final = f"{_PREFIX}SECURITY_PROTOCOL"
_MECHANISM: Final = f"{_PREFIX}SASL_MECHANISM"
_USERNAME: Final = f"{_PREFIX}SASL_USERNAME"
_PASSWORD: Final = f"{_PREFIX}SASL_PASSWORD"
_CAFILE: Final = f"{_PREFIX}SSL_CAFILE"

PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
# OAUTHBEARER and GSSAPI need more than a user and a password.
MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


@frozen(kw_only=True)
class Limits:
    """Bounds of every call to a broker. Without them some calls of the client wait for as long as an outage lasts."""

    window: int = 500
    """Messages in flight at once: the client's own buffer has no bound."""
    acknowledge_seconds: float = 10.0
    """For brokers to acknowledge a window, before the bus counts as unavailable."""
    lock_seconds: float = 30.0
    """For a thread to wait for another one that publishes to the same topic."""
    silence_seconds: float = 10.0
    """Without a message, until a subscription checks that the brokers can be reached."""
    poll_ms: int = 500
    """For one poll of the client; a stop of the worker waits for it."""
    commit_ms: int = 5000
    """For a broker to acknowledge a commit."""
    check_ms: int = 2000
    """For a broker to answer whether a topic exists."""
    leave_ms: int = 2000
    """For a consumer to leave its group."""
    close_seconds: float = 5.0
    """For a producer to deliver what is in flight and end."""


@frozen(kw_only=True)
class Connection:
    """The brokers to contact first, credentials, and limits. `repr` does not show the password."""

    bootstrap_servers: tuple[str, ...]
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str | None = None
    sasl_username: str | None = None
    sasl_password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False, eq=False)
    limits: Limits = field(factory=Limits)

    @classmethod
    def from_settings(cls, settings: Mapping[str, str]) -> "Connection":
        """Read the settings and the CA file; an empty setting counts as absent.

        Raises InvalidValue, naming the setting; also for one that the protocol does not use, because a password that
        is set is meant to be required.
        """
        given = {name: text.strip() for name, text in settings.items() if name.startswith(_PREFIX) and text.strip()}
        protocol = given.get(_PROTOCOL, "PLAINTEXT")
        if protocol not in PROTOCOLS:
            raise InvalidValue(_PROTOCOL, f"must be one of {', '.join(PROTOCOLS)}")
        _reject_unused(given, protocol)
        return cls(
            bootstrap_servers=_servers(given.get(_SERVERS, "")),
            security_protocol=protocol,
            tls=_tls(given.get(_CAFILE)) if protocol.endswith("SSL") else None,
            **(_credentials(given) if protocol.startswith("SASL") else {}),
        )

    def client_config(self) -> dict[str, Any]:
        """Return the settings that every client needs to connect."""
        config: dict[str, Any] = {
            "bootstrap_servers": list(self.bootstrap_servers),
            "security_protocol": self.security_protocol,
        }
        if self.tls is not None:
            config["ssl_context"] = self.tls
        if self.sasl_mechanism is not None:
            config["sasl_mechanism"] = self.sasl_mechanism
            config["sasl_plain_username"] = self.sasl_username
            config["sasl_plain_password"] = self.sasl_password
        return config

    def __str__(self) -> str:
        return ",".join(self.bootstrap_servers)


def _servers(text: str) -> tuple[str, ...]:
    servers = tuple(server for part in text.split(",") if (server := part.strip()))
    if not servers:
        raise InvalidValue(_SERVERS, "must be set to the brokers to ask first: HOST:PORT[,HOST:PORT…]")
    for server in servers:
        host, _, port = server.rpartition(":")
        if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
            raise InvalidValue(_SERVERS, f"must be HOST:PORT[,HOST:PORT…], not {server!r}")
    return servers


def _reject_unused(given: Mapping[str, str], protocol: str) -> None:
    unused = [] if protocol.startswith("SASL") else [_MECHANISM, _USERNAME, _PASSWORD]
    unused += [] if protocol.endswith("SSL") else [_CAFILE]
    for name in unused:
        if name in given:
            raise InvalidValue(name, f"is set, but {_PROTOCOL} is {protocol}, which does not use it")


def _credentials(given: Mapping[str, str]) -> dict[str, Any]:
    for name in (_MECHANISM, _USERNAME, _PASSWORD):
        if name not in given:
            raise InvalidValue(name, f"must be set, for {_PROTOCOL} is {given[_PROTOCOL]}")
    if given[_MECHANISM] not in MECHANISMS:
        raise InvalidValue(_MECHANISM, f"must be one of {', '.join(MECHANISMS)}")
    return {
        "sasl_mechanism": given[_MECHANISM],
        "sasl_username": given[_USERNAME],
        "sasl_password": given[_PASSWORD],
    }


def _tls(cafile: str | None) -> ssl.SSLContext:
    """Return a context that checks certificate and host name, against the system's authorities without a CA file."""
    try:
        context = ssl.create_default_context(cafile=cafile)
    except (OSError, ssl.SSLError) as error:
        raise InvalidValue(_CAFILE, f"must name a readable file of certificates: {error}") from None
    # Python's own default, which Debian's Python leaves to the configuration of OpenSSL.
    context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
    return context


def described(error: BaseException) -> str:
    """Return the error in one line, with its class: the client's texts alone seldom name the problem."""
    text = " ".join(str(error).split())
    name = type(error).__name__
    return text if text.startswith(name) else f"{name}: {text}" if text else name


@contextmanager
def translated_errors(doing: str) -> Iterator[None]:
    """Raise the client's errors about brokers and network as BusUnavailable; other exceptions are bugs and pass."""
    from kafka.errors import KafkaError

    try:
        yield
    except (KafkaError, OSError) as error:
        raise BusUnavailable(f"{doing}: {described(error)}") from error
