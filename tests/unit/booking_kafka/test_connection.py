"""BOOKING_KAFKA_… is read once, checked, and turned into what the client wants."""

import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from booking_core.domain.errors import InvalidValue
from booking_kafka.bus import create
from booking_kafka.connection import Connection

SERVERS = {"BOOKING_KAFKA_BOOTSTRAP_SERVERS": "one:9092, two:9093"}
SASL = {
    "BOOKING_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
    "BOOKING_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
    "BOOKING_KAFKA_SASL_USERNAME": "booking",
    "BOOKING_KAFKA_SASL_PASSWORD": "hunter2",
}


def test_plain_text_is_the_default_and_empty_is_not_set() -> None:
    connection = Connection.from_settings({**SERVERS, "BOOKING_KAFKA_SASL_USERNAME": " ", "OTHER": "x"})

    assert connection.client_config() == {
        "bootstrap_servers": ["one:9092", "two:9093"],
        "security_protocol": "PLAINTEXT",
    }
    assert str(connection) == "one:9092,two:9093"


def test_user_and_password() -> None:
    config = Connection.from_settings({**SERVERS, **SASL}).client_config()

    assert config == {
        "bootstrap_servers": ["one:9092", "two:9093"],
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "booking",
        "sasl_plain_password": "hunter2",
    }


@pytest.mark.parametrize("protocol", ["SSL", "SASL_SSL"])
def test_tls_checks_certificates_and_names(protocol: str) -> None:
    settings = {**SERVERS, **(SASL if protocol == "SASL_SSL" else {}), "BOOKING_KAFKA_SECURITY_PROTOCOL": protocol}

    context = Connection.from_settings(settings).client_config()["ssl_context"]

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname is True
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_the_password_is_not_shown() -> None:
    connection = Connection.from_settings({**SERVERS, **SASL})

    assert "hunter2" not in f"{connection!r} {connection}"


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"BOOTSTRAP_SERVERS": ""}, "BOOTSTRAP_SERVERS"),
        ({"BOOTSTRAP_SERVERS": " , "}, "BOOTSTRAP_SERVERS"),
        ({"BOOTSTRAP_SERVERS": "host"}, "BOOTSTRAP_SERVERS"),
        ({"BOOTSTRAP_SERVERS": ":9092"}, "BOOTSTRAP_SERVERS"),
        ({"BOOTSTRAP_SERVERS": "host:0"}, "BOOTSTRAP_SERVERS"),
        ({"BOOTSTRAP_SERVERS": "host:65536"}, "BOOTSTRAP_SERVERS"),
        ({"BOOTSTRAP_SERVERS": "host:²"}, "BOOTSTRAP_SERVERS"),
        ({"SECURITY_PROTOCOL": "TLS"}, "SECURITY_PROTOCOL"),
        ({"SECURITY_PROTOCOL": "PLAINTEXT"}, "SASL_MECHANISM"),
        ({"SECURITY_PROTOCOL": "SSL"}, "SASL_MECHANISM"),
        ({"SASL_MECHANISM": ""}, "SASL_MECHANISM"),
        ({"SASL_MECHANISM": "GSSAPI"}, "SASL_MECHANISM"),
        ({"SASL_MECHANISM": "OAUTHBEARER"}, "SASL_MECHANISM"),
        ({"SASL_USERNAME": ""}, "SASL_USERNAME"),
        ({"SASL_PASSWORD": ""}, "SASL_PASSWORD"),
        ({"SSL_CAFILE": "/etc/hosts"}, "SSL_CAFILE"),  # set, and not used
        ({"SECURITY_PROTOCOL": "SASL_SSL", "SSL_CAFILE": "/no/such/file"}, "SSL_CAFILE"),
    ],
)
def test_what_is_missing_malformed_or_unused_is_refused_by_name(changed: dict[str, str], name: str) -> None:
    settings = {**SERVERS, **SASL, **{f"BOOKING_KAFKA_{each}": text for each, text in changed.items()}}

    with pytest.raises(InvalidValue) as refused:
        create(settings)

    assert refused.value.field == f"BOOKING_KAFKA_{name}"
    assert "hunter2" not in str(refused.value)


def test_a_file_without_certificates_is_refused(tmp_path: Path) -> None:
    cafile = tmp_path / "ca.pem"
    cafile.write_text("hello\n")
    settings = {"BOOKING_KAFKA_SECURITY_PROTOCOL": "SSL", "BOOKING_KAFKA_SSL_CAFILE": str(cafile)}

    with pytest.raises(InvalidValue, match="BOOKING_KAFKA_SSL_CAFILE must name a readable file of certificates"):
        create({**SERVERS, **settings})


def test_creating_and_closing_a_bus_needs_no_client_and_no_broker() -> None:
    program = (
        "import sys\n"
        "from booking_kafka.bus import create\n"
        "bus = create({'BOOKING_KAFKA_BOOTSTRAP_SERVERS': 'nowhere.invalid:9092'})\n"
        "bus.publish('topic', [])\n"
        "bus.close(); bus.close()\n"
        "assert not any(name.split('.')[0] == 'kafka' for name in sys.modules), 'the client was imported'\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
