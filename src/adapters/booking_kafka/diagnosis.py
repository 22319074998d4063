"""Diagnosis of the brokers and our topics for `booking doctor`, over connections of its own."""

import logging
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError

from booking_core.ports import Finding, Grade, Workload
from booking_kafka.connection import ANY_CLIENT, Connection, described

_BROKER: Final = "broker"
_CONNECT_SECONDS: Final = 2.0  # to connect to one broker
_ANSWER_MS: Final = 3000  # for one request to a broker
_SERVERS: Final = "BOOKING_KAFKA_BOOTSTRAP_SERVERS"
_PROTOCOL: Final = "BOOKING_KAFKA_SECURITY_PROTOCOL"

_UNKNOWN_TOPIC: Final = 3
_NOT_AUTHORIZED: Final = 29
_NO_LEADER: Final = -1
_SETTINGS: Final = ("retention.ms", "cleanup.policy", "max.message.bytes")
_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 24 * _HOUR_MS
# A consumer may be down for a day; a dead letter may wait for an operator over a weekend.
_LEAST_MS: Final = _DAY_MS
_LEAST_FOR_DEAD_LETTERS_MS: Final = 7 * _DAY_MS
# A dead letter may have 900 KB; its headers and its batch add some more.
_LEAST_BYTES: Final = 1_000_000

_Topic = Mapping[str, Any]
"""A topic as the client describes it."""


def diagnose(connection: Connection, workload: Workload) -> Iterator[Finding]:
    """Check as `broker` whether brokers can be reached and accept us, and then each topic of the workload."""
    problems = {each: problem for each in connection.bootstrap_servers if (problem := _connect(each, connection))}
    if len(problems) == len(connection.bootstrap_servers):
        yield _unreachable(connection, problems)
        yield from _skipped(workload)
        return
    try:
        # The client gives up at the first server that cannot be reached.
        reached = [server for server in connection.bootstrap_servers if server not in problems]
        with _captured_client_log() as logged, _client(connection, reached) as admin:
            brokers = admin.describe_cluster()["brokers"]
            yield _accepted(connection, len(brokers), problems)
            yield from _check_topics(admin, workload, brokers=len(brokers))
    except (KafkaError, OSError) as error:
        yield _rejected(connection, logged[-1] if logged else described(error))
        yield from _skipped(workload)


def _connect(server: str, connection: Connection) -> str | None:
    """Return the problem of connecting to this broker, its certificate included; None if there is none."""
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


def _unreachable(connection: Connection, problems: Mapping[str, str]) -> Finding:
    found = _listed(problems)
    if "certificate" in found:
        advice = (
            "point BOOKING_KAFKA_SSL_CAFILE to the authority that signs the brokers' certificates, and name them as"
        )
        advice += f" the certificates do in {_SERVERS}"
    elif "TLS" in found:
        advice = f"check {_PROTOCOL} (it is {connection.security_protocol}) against what that port speaks"
    else:
        advice = f"check {_SERVERS}, that the brokers run, and that the network lets us through"
    return Finding(check=_BROKER, grade=Grade.TROUBLE, found=found, advice=advice)


def _listed(problems: Mapping[str, str]) -> str:
    return "; ".join(f"{server}: {problem}" for server, problem in problems.items())


def _accepted(connection: Connection, brokers: int, problems: Mapping[str, str]) -> Finding:
    how = connection.security_protocol + (f" with {connection.sasl_mechanism}" if connection.sasl_mechanism else "")
    found = f"{brokers} broker{'s' if brokers > 1 else ''} behind {connection}, over {how}"
    if not problems:
        return Finding(check=_BROKER, grade=Grade.OK, found=found)
    advice = f"take what is gone for good out of {_SERVERS}; the others are enough to start"
    return Finding(check=_BROKER, grade=Grade.WARNING, found=f"{found}; but {_listed(problems)}", advice=advice)


def _rejected(connection: Connection, problem: str) -> Finding:
    advice = f"check {_PROTOCOL} (it is {connection.security_protocol}) against what that port speaks"
    if connection.sasl_mechanism:
        advice += ", and BOOKING_KAFKA_SASL_MECHANISM, _SASL_USERNAME and _SASL_PASSWORD"
    return Finding(
        check=_BROKER, grade=Grade.TROUBLE, found=f"{connection} does not let us in: {problem}", advice=advice
    )


def _skipped(workload: Workload) -> Iterator[Finding]:
    for topic in workload.topics:
        yield Finding(check=f"topic {topic}", grade=Grade.SKIPPED, found="not looked at: no broker to ask")


def _check_topics(admin: KafkaAdminClient, workload: Workload, *, brokers: int) -> Iterator[Finding]:
    """Check each topic as `topic NAME`. Raises the client's error if brokers become unreachable meanwhile."""
    topics = {each["topic"]: each for each in admin.describe_topics(list(workload.topics))}
    settings = _settings_of(admin, workload)
    for name in workload.topics:
        topic = topics.get(name, {"error_code": _UNKNOWN_TOPIC})
        if problem := _problem_of(name, topic, workload):
            found, advice = problem
            yield Finding(check=f"topic {name}", grade=Grade.TROUBLE, found=found, advice=advice)
            continue
        configured = settings.get(name, {})
        warnings = [*_warnings(name, topic, configured, workload, brokers)]
        partitions, replicas = len(topic["partitions"]), _replicas(topic)
        found = f"{_counted(partitions, 'partition')}, {_counted(replicas, 'copy', 'copies')}, {_retention(configured)}"
        yield Finding(
            check=f"topic {name}",
            grade=Grade.WARNING if warnings else Grade.OK,
            found="; ".join([found, *(warning for warning, _ in warnings)]),
            advice="; ".join(advice for _, advice in warnings),
        )


def _problem_of(name: str, topic: _Topic, workload: Workload) -> tuple[str, str] | None:
    """Return why the service cannot work with the topic, and the advice on it; None if it can."""
    code = topic["error_code"]
    if code == _UNKNOWN_TOPIC:
        advice = f"create it, for example: rpk topic create {name} -p 6 (nothing creates topics by itself)"
        return "does not exist", advice
    if code == _NOT_AUTHORIZED:
        return "the brokers do not let our user see it", f"grant {_rights(name, workload)} on it"
    if code:
        return f"the brokers answer with error {code}", "see Kafka's list of error codes, and the brokers' logs"
    leaderless = [str(each["partition"]) for each in topic["partitions"] if each["leader"] == _NO_LEADER]
    if leaderless:
        return f"no broker leads partition {', '.join(leaderless)}", "bring back the brokers that have it"
    granted = topic.get("authorized_operations") or ()
    missing = [right for right in _rights(name, workload).split(" and ") if granted and right not in granted]
    if missing:
        return f"our user has no right to {' and '.join(missing)}", f"grant {' and '.join(missing)} on it"
    return None


def _warnings(
    name: str, topic: _Topic, configured: Mapping[str, str], workload: Workload, brokers: int
) -> Iterator[tuple[str, str]]:
    """Yield what may fail one day, and the advice on it."""
    if name == workload.consumed and len(topic["partitions"]) == 1:
        yield "only one worker can consume it at a time", "give it as many partitions as there may be workers"
    if brokers > 1 and _replicas(topic) == 1:
        yield "what is in it is lost with one broker", "raise its replication factor"
    if "compact" in configured.get("cleanup.policy", ""):
        yield "it is compacted: earlier messages of a booking vanish", "set its cleanup.policy to delete"
    least = _LEAST_FOR_DEAD_LETTERS_MS if name == workload.dead_letters else _LEAST_MS
    if 0 <= int(configured.get("retention.ms", -1)) < least:
        yield "that is short", f"set its retention.ms to {least} ({least // _DAY_MS} d) at least"
    if int(configured.get("max.message.bytes", _LEAST_BYTES)) < _LEAST_BYTES:
        yield "it takes only small messages", f"set its max.message.bytes to {_LEAST_BYTES} at least"


def _rights(name: str, workload: Workload) -> str:
    """Return the rights that the service needs on the topic."""
    writes = name in (workload.published, workload.dead_letters)
    reads = name in (workload.consumed, workload.dead_letters)
    return " and ".join([*(["READ"] if reads else []), *(["WRITE"] if writes else [])])


def _settings_of(admin: KafkaAdminClient, workload: Workload) -> Mapping[str, Mapping[str, str]]:
    """Return the settings of the topics; none without the right to read them, which the service does not need."""
    wanted: Any = dict.fromkeys(_SETTINGS)
    asked = [ConfigResource(ConfigResourceType.TOPIC, name, wanted) for name in workload.topics]
    try:
        answers = admin.describe_configs(asked)
    except KafkaError:
        return {}
    return {
        resource[3]: {entry[0]: entry[1] for entry in resource[4] if entry[1] is not None}
        for answer in answers
        for resource in answer.resources
        if resource[0] == 0
    }


def _replicas(topic: _Topic) -> int:
    return min(len(each["replicas"]) for each in topic["partitions"])


def _retention(configured: Mapping[str, str]) -> str:
    if "retention.ms" not in configured:
        return "kept for nobody tells us how long"
    kept = int(configured["retention.ms"])
    if kept < 0:
        return "kept for ever"
    return f"kept for {kept / _DAY_MS:.3g} d" if kept >= _DAY_MS else f"kept for {kept / _HOUR_MS:.3g} h"


def _counted(number: int, one: str, several: str | None = None) -> str:
    return f"{number} {one if number == 1 else several or one + 's'}"


@contextmanager
def _client(connection: Connection, servers: Sequence[str]) -> Iterator[KafkaAdminClient]:
    common = {name: value for name, value in ANY_CLIENT.items() if name in KafkaAdminClient.DEFAULT_CONFIG}
    config = connection.client_config() | common | {"bootstrap_servers": list(servers)}
    admin = KafkaAdminClient(**config, request_timeout_ms=_ANSWER_MS)
    try:
        yield admin
    finally:
        admin.close()


class _LogCapture(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = " ".join(record.getMessage().split())
        # `<BrokerConnection …>: SaslAuthenticate error: …`: before the colon are memory addresses and sockets.
        self.texts.append(text.rpartition("]>: ")[2].removeprefix("Closing connection. "))


@contextmanager
def _captured_client_log() -> Iterator[Sequence[str]]:
    """Capture the client's error log: it is the only place where the client names the reason of a failed login."""
    capture, logger = _LogCapture(), logging.getLogger("kafka.conn")
    before = logger.level, logger.propagate
    logger.addHandler(capture)
    logger.setLevel(logging.ERROR)
    logger.propagate = False
    try:
        yield capture.texts
    finally:
        logger.setLevel(before[0])
        logger.propagate = before[1]
        logger.removeHandler(capture)
