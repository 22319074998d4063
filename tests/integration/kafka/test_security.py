"""Passwords and certificates, against a broker that asks for them."""

import time

import pytest

from booking_core.domain.errors import BusUnavailable
from booking_core.ports import Delivery, Message
from tests.support.kafka.broker import KafkaBroker
from tests.support.kafka.broker.properties import PASSWORD, USER
from tests.support.kafka.fixtures import make_topic
from tests.support.kafka.readers import bus_at, everything_in

LOGIN = {"SASL_MECHANISM": "PLAIN", "SASL_USERNAME": USER, "SASL_PASSWORD": PASSWORD}


@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
def test_with_the_right_password_messages_go_both_ways(kafka_broker: KafkaBroker, protocol: str) -> None:
    topic = make_topic(kafka_broker.bootstrap_servers)
    tls = protocol == "SASL_SSL"
    servers = kafka_broker.tls_servers if tls else kafka_broker.sasl_servers
    trust = {"SSL_CAFILE": str(kafka_broker.directory / "ca.pem")} if tls else {}
    bus = bus_at(servers, SECURITY_PROTOCOL=protocol, **LOGIN, **trust)

    bus.publish(topic, [Message(key=b"k", value=b"secret")])
    subscription = bus.subscribe(topic, topic)
    arrived: list[Delivery] = []
    while not arrived:
        arrived = list(subscription.poll(0.5))
    subscription.commit()
    bus.close()

    assert [delivery.value for delivery in arrived] == [b"secret"]


@pytest.mark.parametrize("wrong", ["password", "authority"])
def test_whoever_may_not_in_is_told_in_bounded_time(kafka_broker: KafkaBroker, wrong: str) -> None:
    topic = make_topic(kafka_broker.bootstrap_servers)
    settings = {
        "password": {"SECURITY_PROTOCOL": "SASL_PLAINTEXT", **LOGIN, "SASL_PASSWORD": "guess"},
        "authority": {
            "SECURITY_PROTOCOL": "SASL_SSL",
            **LOGIN,
            "SSL_CAFILE": str(kafka_broker.directory / "other-ca.pem"),
        },
    }[wrong]
    bus = bus_at(kafka_broker.tls_servers if wrong == "authority" else kafka_broker.sasl_servers, **settings)
    started = time.monotonic()

    with pytest.raises(BusUnavailable) as publishing:
        bus.publish(topic, [Message(key=b"k", value=b"v")])
    bus.close()

    assert time.monotonic() - started < 10
    assert ("certificate verify failed" if wrong == "authority" else "lets us in") in str(publishing.value)
    assert everything_in(kafka_broker.bootstrap_servers, topic) == []
