"""The configuration of one broker that is its own controller (KRaft), small and quick to start."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from attrs import frozen

USER: Final = "booking"
PASSWORD: Final = 'it\'s "quoted"; and = odd'  # what breaks naive quoting

_FIXED: Final[Mapping[str, str]] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    # Alone: everything is kept once.
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    # Members of a group need not wait for others to join.
    "group.initial.rebalance.delay.ms": "0",
    # A small heap.
    "log.cleaner.dedupe.buffer.size": "4194304",
    # After a kill -9 the broker's own session has to end before it may register again.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    # As by default, so that the adapter is seen not to make topics by mistake.
    "auto.create.topics.enable": "true",
}


@frozen(kw_only=True)
class Ports:
    """Ports of 127.0.0.1: without and with a password, with password and TLS, and the controller's own."""

    plain: int
    sasl: int
    tls: int
    controller: int


def broker_properties(*, data: Path, keys: Path, ports: Ports) -> str:
    """The text of `server.properties`. `keys` is a PEM file with the broker's key and certificate."""
    listeners = {"PLAINTEXT": ports.plain, "SASL_PLAINTEXT": ports.sasl, "SASL_SSL": ports.tls}
    addresses = [f"{name}://127.0.0.1:{port}" for name, port in listeners.items()]
    controller = f"127.0.0.1:{ports.controller}"
    lines = {
        **_FIXED,
        "log.dirs": str(data),
        "listeners": ",".join([*addresses, f"CONTROLLER://{controller}"]),
        "advertised.listeners": ",".join(addresses),
        "listener.security.protocol.map": ",".join([*(f"{name}:{name}" for name in listeners), "CONTROLLER:PLAINTEXT"]),
        "controller.quorum.bootstrap.servers": controller,
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.sasl_plaintext.plain.sasl.jaas.config": _users(),
        "listener.name.sasl_ssl.plain.sasl.jaas.config": _users(),
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(keys),
    }
    return "".join(f"{name}={value}\n" for name, value in lines.items())


def _users() -> str:
    """Escaped twice: for the value within the login module's line, and for the properties file around it."""
    quoted = PASSWORD.replace("\\", "\\\\").replace('"', '\\"')
    module = "org.apache.kafka.common.security.plain.PlainLoginModule"
    return f'{module} required user_{USER}="{quoted}";'.replace("\\", "\\\\")
