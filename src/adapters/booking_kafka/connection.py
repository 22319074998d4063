"""Where the brokers are and how to talk to them: `BOOKING_KAFKA_…` as the client wants it."""

import ssl
from collections.abc import Mapping
from typing import Any, Final

from attrs import field, frozen

from booking_core.domain.errors import InvalidValue

WINDOW: Final = 500
"""The most messages under way at once: the client's own buffer has no bound."""

PATIENCE_SECONDS: Final = 10.0
"""How long brokers may take to acknowledge a window, before they count as unavailable."""

TURN_SECONDS: Final = 30.0
"""How long one publishing thread waits for another of the same topic."""

POLL_MS: Final = 500
COMMIT_MS: Final = 5000
LOOK_MS: Final = 2000
LEAVE_MS: Final = 2000
CLOSE_SECONDS: Final = 5.0


SILENCE_SECONDS: Final = 10.0
"""After so long without a message, the brokers are asked whether they are still there."""

ANY_CLIENT: Final[Mapping[str, Any]] = {
    "client_id": "booking-core",
    # The newest protocol that is needed; naming it saves the client a round of guessing at every start.
    "api_version": (2, 6),
    # The default of 30 s delays the recovery from an outage by as much.
    "reconnect_backoff_max_ms": 1000,
    # A mistyped name must not become a topic, with one partition.
    "allow_auto_create_topics": False,
}

PRODUCER: Final[Mapping[str, Any]] = {
    **ANY_CLIENT,
    "acks": "all",
    "enable_idempotence": True,
    # Never let the client give up a batch: with idempotence on, it does not deliver again afterwards.
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
    # Between two polls; who takes longer loses its partitions to the others.
    "max_poll_interval_ms": 300_000,
    "max_poll_records": 500,
    # What a transaction of the sender has taken back was never said.
    "isolation_level": "read_committed",
    # A topic that is created or given partitions after the start is seen after so long.
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
class Connection:
    """Brokers to ask first, and the ways to get in. `repr` does not show the password."""

    bootstrap_servers: tuple[str, ...]
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str | None = None
    sasl_username: str | None = None
    sasl_password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False, eq=False)

    @classmethod
    def from_settings(cls, settings: Mapping[str, str]) -> "Connection":
        """Reads the CA file, and nothing else. An empty setting is one that is not set.

        Raises InvalidValue, naming the setting. One that the protocol does not use is refused too: whoever sets a
        password means it to be asked for.
        """
        given = {name: text.strip() for name, text in settings.items() if name.startswith(_PREFIX) and text.strip()}
        protocol = given.get(_PROTOCOL, "PLAINTEXT")
        if protocol not in PROTOCOLS:
            raise InvalidValue(_PROTOCOL, f"must be one of {', '.join(PROTOCOLS)}")
        _refuse_unused(given, protocol)
        return cls(
            bootstrap_servers=_servers(given.get(_SERVERS, "")),
            security_protocol=protocol,
            tls=_tls(given.get(_CAFILE)) if protocol.endswith("SSL") else None,
            **(_credentials(given) if protocol.startswith("SASL") else {}),
        )

    def client_config(self) -> dict[str, Any]:
        """What every client of ours is given to connect."""
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


def _refuse_unused(given: Mapping[str, str], protocol: str) -> None:
    unused = [] if protocol.startswith("SASL") else [_MECHANISM, _USERNAME, _PASSWORD]
    unused += [] if protocol.endswith("SSL") else [_CAFILE]
    for name in unused:
        if name in given:
            raise InvalidValue(name, f"is set, but {_PROTOCOL} is {protocol}, which does not use it")


def _credentials(given: Mapping[str, str]) -> dict[str, str]:
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
    """A context that checks certificate and host name; without a CA file, against those of the system."""
    try:
        return ssl.create_default_context(cafile=cafile)
    except (OSError, ssl.SSLError) as error:
        raise InvalidValue(_CAFILE, f"must name a readable file of certificates: {error}") from None
