"""Each trouble of the brokers and their topics, made for real."""

from collections.abc import Callable

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic

from booking_service.doctor.components import Component
from tests.integration.doctor.examining import examined, grades
from tests.support.kafka.broker import KafkaBroker
from tests.support.kafka.broker.properties import PASSWORD, USER
from tests.support.kafka.fixtures import PARTITIONS
from tests.support.processes import free_port

NAMES = ("BOOKING_EVENTS_TOPIC", "BOOKING_PAYMENTS_TOPIC", "BOOKING_DEAD_LETTER_TOPIC")
LOGIN = {
    "BOOKING_KAFKA_SASL_MECHANISM": "PLAIN",
    "BOOKING_KAFKA_SASL_USERNAME": USER,
    "BOOKING_KAFKA_SASL_PASSWORD": PASSWORD,
}
DEFAULTS = ("booking.events", "payment.events", "booking.dead-letters")
NOT_LET_IN = {"broker": "trouble", **{f"topic {name}": "skipped" for name in DEFAULTS}}


def at(servers: str, **more: str) -> dict[str, str]:
    return {"BOOKING_KAFKA_BOOTSTRAP_SERVERS": servers, **more}


@pytest.fixture
def topics(fresh_topic: Callable[[], str]) -> dict[str, str]:
    """Settings that name three good topics."""
    return {name: fresh_topic() for name in NAMES}


def configure(servers: str, topic: str, **settings: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=servers, api_version=(2, 6))
    try:
        wanted = {name.replace("_", "."): value for name, value in settings.items()}
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, wanted)])
    finally:
        admin.close()


def test_all_is_well(kafka_bootstrap: str, topics: dict[str, str]) -> None:
    found = examined(Component.BROKER, at(kafka_bootstrap, **topics))

    assert grades(found) == dict.fromkeys(["broker", *(f"topic {topic}" for topic in topics.values())], "ok")
    assert found["broker"].found == f"1 broker behind {kafka_bootstrap}, over PLAINTEXT"
    assert found[f"topic {topics[NAMES[0]]}"].found == f"{PARTITIONS} partitions, 1 copy, kept for 7 d"


def test_one_topic_for_two_things_is_told_once(kafka_bootstrap: str, topics: dict[str, str]) -> None:
    found = examined(Component.BROKER, at(kafka_bootstrap, **dict.fromkeys(NAMES, topics[NAMES[0]])))

    assert grades(found) == {"broker": "ok", f"topic {topics[NAMES[0]]}": "ok"}


def test_a_topic_that_is_missing_and_stays_missing(kafka_bootstrap: str, topics: dict[str, str]) -> None:
    for _ in range(2):
        found = examined(Component.BROKER, at(kafka_bootstrap, **topics | {"BOOKING_PAYMENTS_TOPIC": "no.such.topic"}))

        assert [check for check, grade in grades(found).items() if grade == "trouble"] == ["topic no.such.topic"]
        assert "rpk topic create no.such.topic" in found["topic no.such.topic"].advice


def test_topics_that_will_hurt_one_day(kafka_bootstrap: str, topics: dict[str, str]) -> None:
    events, payments, letters = (topics[name] for name in NAMES)
    configure(kafka_bootstrap, events, cleanup_policy="compact", max_message_bytes="5000")
    configure(kafka_bootstrap, payments, retention_ms=str(23 * 3_600_000))
    configure(kafka_bootstrap, letters, retention_ms=str(6 * 86_400_000))
    only_one = f"{payments}.one"
    admin = KafkaAdminClient(bootstrap_servers=kafka_bootstrap, api_version=(2, 6))
    admin.create_topics([NewTopic(only_one, 1, 1, topic_configs={"retention.ms": "-1"})])
    admin.close()

    found = examined(Component.BROKER, at(kafka_bootstrap, **topics))
    one = examined(Component.BROKER, at(kafka_bootstrap, **topics | {"BOOKING_PAYMENTS_TOPIC": only_one}))[
        f"topic {only_one}"
    ]

    assert set(grades(found).values()) == {"ok", "warning"}
    assert [check for check, grade in grades(found).items() if grade == "ok"] == ["broker"]
    assert "compacted" in found[f"topic {events}"].found
    assert "small messages" in found[f"topic {events}"].found
    assert "kept for 23 h; that is short" in found[f"topic {payments}"].found
    assert "retention.ms to 604800000 (7 d)" in found[f"topic {letters}"].advice
    assert (one.grade.value, one.found) == (
        "warning",
        "1 partition, 1 copy, kept for ever; only one worker can consume it at a time",
    )


def test_no_broker_there() -> None:
    server = f"127.0.0.1:{free_port()}"

    found = examined(Component.BROKER, at(server))

    assert grades(found) == NOT_LET_IN
    assert found["broker"].found == f"{server}: connection refused"
    assert "BOOKING_KAFKA_BOOTSTRAP_SERVERS" in found["broker"].advice


def test_one_of_several_brokers_is_not_there(kafka_bootstrap: str, topics: dict[str, str]) -> None:
    gone = f"127.0.0.1:{free_port()}"

    found = examined(Component.BROKER, at(f"{gone},no.such.host.invalid:9092,{kafka_bootstrap}", **topics))

    assert found["broker"].grade.value == "warning"
    assert f"but {gone}: connection refused; no.such.host.invalid:9092: the name is not known" in found["broker"].found
    assert [grade for check, grade in grades(found).items() if check != "broker"] == ["ok"] * 3


def test_a_broker_that_wants_tls_and_a_password(kafka_broker: KafkaBroker, topics: dict[str, str]) -> None:
    trust = {"BOOKING_KAFKA_SSL_CAFILE": str(kafka_broker.directory / "ca.pem")}
    secured = at(kafka_broker.tls_servers, BOOKING_KAFKA_SECURITY_PROTOCOL="SASL_SSL", **LOGIN, **trust)

    found = examined(Component.BROKER, secured | topics)

    assert set(grades(found).values()) == {"ok"}
    assert found["broker"].found.endswith("over SASL_SSL with PLAIN")


@pytest.mark.parametrize(
    ("changes", "told", "advice"),
    [
        ({"BOOKING_KAFKA_SASL_PASSWORD": "guess-secret"}, "Invalid username or password", "_SASL_PASSWORD"),
        ({"BOOKING_KAFKA_SASL_MECHANISM": "SCRAM-SHA-256"}, "does not let us in", "BOOKING_KAFKA_SASL_MECHANISM"),
        ({"BOOKING_KAFKA_SSL_CAFILE": "other-ca.pem"}, "its certificate is not accepted", "BOOKING_KAFKA_SSL_CAFILE"),
        ({"BOOKING_KAFKA_BOOTSTRAP_SERVERS": "plain"}, "no TLS is spoken there", "BOOKING_KAFKA_SECURITY_PROTOCOL"),
        ({"BOOKING_KAFKA_SSL_CAFILE": "no-such.pem"}, "must name a readable file of certificates", "correct"),
    ],
)
def test_whoever_is_not_let_in_is_told_why(
    kafka_broker: KafkaBroker, changes: dict[str, str], told: str, advice: str
) -> None:
    environ = at(
        kafka_broker.tls_servers,
        BOOKING_KAFKA_SECURITY_PROTOCOL="SASL_SSL",
        BOOKING_KAFKA_SSL_CAFILE="ca.pem",
        **LOGIN,
    )
    environ |= changes
    environ["BOOKING_KAFKA_SSL_CAFILE"] = str(kafka_broker.directory / environ["BOOKING_KAFKA_SSL_CAFILE"])
    if environ["BOOKING_KAFKA_BOOTSTRAP_SERVERS"] == "plain":
        environ["BOOKING_KAFKA_BOOTSTRAP_SERVERS"] = kafka_broker.bootstrap_servers

    found = examined(Component.BROKER, environ)

    assert set(grades(found).values()) <= {"trouble", "skipped"}
    assert told in found["broker"].found
    assert advice in found["broker"].advice
    assert "guess" not in str(found)


def test_a_client_without_tls_at_a_port_that_wants_it(kafka_broker: KafkaBroker) -> None:
    found = examined(Component.BROKER, at(kafka_broker.tls_servers))

    assert grades(found) == NOT_LET_IN
    assert "BOOKING_KAFKA_SECURITY_PROTOCOL (it is PLAINTEXT)" in found["broker"].advice


def test_a_broker_that_is_frozen_is_given_up(mortal_broker: KafkaBroker) -> None:
    mortal_broker.freeze()

    found = examined(Component.BROKER, at(mortal_broker.bootstrap_servers))

    assert grades(found) == NOT_LET_IN
    assert "timed out" in found["broker"].found
