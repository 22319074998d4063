"""Where the brokers are and how to talk to them: `BOOKING_KAFKA_…` as the client wants it."""

import ssl
from collections.abc import Mapping
from typing import Any, Final

from attrs import field, frozen

from booking_core.errors import InvalidValue

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
