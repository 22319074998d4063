"""How the brokers are doing: `booking_core.ports.Diagnosis` over Kafka. Asks by connections of its own."""

import logging
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from booking_core.ports import Finding, Grade, Workload
from booking_kafka.connection import ANY_CLIENT, Connection
from booking_kafka.errors import described
from booking_kafka.topic_diagnosis import topic_findings

CHECK: Final = "broker"
_CONNECT_SECONDS: Final = 2.0
_ANSWER_MS: Final = 3000
_SERVERS: Final = "BOOKING_KAFKA_BOOTSTRAP_SERVERS"
_PROTOCOL: Final = "BOOKING_KAFKA_SECURITY_PROTOCOL"


def diagnose(connection: Connection, workload: Workload) -> Iterator[Finding]:
    """`broker`: whether they can be reached and let us in; then a `topic NAME` for each of the workload."""
    unreached = {server: problem for server in connection.bootstrap_servers if (problem := _knock(server, connection))}
    if len(unreached) == len(connection.bootstrap_servers):
        yield _unreachable(connection, unreached)
        yield from _not_looked_at(workload)
        return
    try:
        # The client gives up at the first server that is not there.
        reached = [server for server in connection.bootstrap_servers if server not in unreached]
        with _heard() as said, _client(connection, reached) as admin:
            brokers = admin.describe_cluster()["brokers"]
            yield _let_in(connection, len(brokers), unreached)
            yield from topic_findings(admin, workload, brokers=len(brokers))
    except (KafkaError, OSError) as error:
        yield _not_let_in(connection, said[-1] if said else described(error))
        yield from _not_looked_at(workload)


def _knock(server: str, connection: Connection) -> str | None:
    """What is wrong with the way to this broker, up to and including its certificate; None if nothing is."""
    host, _, port = server.rpartition(":")
    host = host.strip("[]")
    try:
        with socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS) as plain:
            if connection.tls is not None:
                connection.tls.wrap_socket(plain, server_hostname=host).close()
    except ssl.SSLCertVerificationError as error:
        return f"its certificate is not accepted: {error.verify_message}"
    except ssl.SSLError as error:
        return f"no TLS is spoken there ({error.reason or error})"
    except socket.gaierror:
        return "the name is not known"
    except TimeoutError:
        return f"no answer within {_CONNECT_SECONDS:.0f} s"
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return None


def _unreachable(connection: Connection, unreached: dict[str, str]) -> Finding:
    problems = "; ".join(f"{server}: {problem}" for server, problem in unreached.items())
    if "certificate" in problems:
        advice = (
            "point BOOKING_KAFKA_SSL_CAFILE to the authority that signs the brokers' certificates, and name them as"
        )
        advice += f" the certificates do in {_SERVERS}"
    elif "TLS" in problems:
        advice = f"check {_PROTOCOL} (it is {connection.security_protocol}) against what that port speaks"
    else:
        advice = f"check {_SERVERS}, that the brokers run, and that the network lets us through"
    return Finding(check=CHECK, grade=Grade.TROUBLE, found=problems, advice=advice)


def _let_in(connection: Connection, brokers: int, unreached: dict[str, str]) -> Finding:
    how = connection.security_protocol + (f" with {connection.sasl_mechanism}" if connection.sasl_mechanism else "")
    found = f"{brokers} broker{'s' if brokers > 1 else ''} behind {connection}, over {how}"
    if not unreached:
        return Finding(check=CHECK, grade=Grade.OK, found=found)
    problems = "; ".join(f"{server}: {problem}" for server, problem in unreached.items())
    advice = f"take what is gone for good out of {_SERVERS}; the others are enough to start"
    return Finding(check=CHECK, grade=Grade.WARNING, found=f"{found}; but {problems}", advice=advice)


def _not_let_in(connection: Connection, problem: str) -> Finding:
    advice = f"check {_PROTOCOL} (it is {connection.security_protocol}) against what that port speaks"
    if connection.sasl_mechanism:
        advice += ", and BOOKING_KAFKA_SASL_MECHANISM, _SASL_USERNAME and _SASL_PASSWORD"
    return Finding(check=CHECK, grade=Grade.TROUBLE, found=f"{connection} does not let us in: {problem}", advice=advice)


def _not_looked_at(workload: Workload) -> Iterator[Finding]:
    for topic in workload.topics:
        yield Finding(check=f"topic {topic}", grade=Grade.SKIPPED, found="not looked at: no broker to ask")


@contextmanager
def _client(connection: Connection, servers: Sequence[str]) -> Iterator[KafkaAdminClient]:
    common = {name: value for name, value in ANY_CLIENT.items() if name in KafkaAdminClient.DEFAULT_CONFIG}
    config = connection.client_config() | common | {"bootstrap_servers": list(servers)}
    admin = KafkaAdminClient(**config, request_timeout_ms=_ANSWER_MS)
    try:
        yield admin
    finally:
        admin.close()


class _Listener(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = " ".join(record.getMessage().split())
        # `<BrokerConnection …>: SaslAuthenticate error: …`: what comes first are addresses of memory and sockets.
        self.said.append(text.rpartition("]>: ")[2].removeprefix("Closing connection. "))


@contextmanager
def _heard() -> Iterator[Sequence[str]]:
    """What the client complains of meanwhile, instead of its log: why a login fails it says to its log alone."""
    listener, logger = _Listener(), logging.getLogger("kafka.conn")
    before = logger.level, logger.propagate
    logger.addHandler(listener)
    logger.setLevel(logging.ERROR)
    logger.propagate = False
    try:
        yield listener.said
    finally:
        logger.setLevel(before[0])
        logger.propagate = before[1]
        logger.removeHandler(listener)
