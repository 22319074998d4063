"""Settings: defaults, what each may be, one line for each mistake, and no secret anywhere."""

import pytest

from booking_service.setting_fields import Need, SettingsError
from booking_service.settings import SETTINGS, Settings, required

DATABASE = {"BOOKING_DATABASE_URL": "postgresql://booking:hunter22@db/booking"}
TOKENS = {"BOOKING_JWT_ISSUER": "https://t.example.com/", "BOOKING_JWT_AUDIENCE": "booking"}
KAFKA = {"BOOKING_KAFKA_BOOTSTRAP_SERVERS": "a:9092, b:9093"}
ALL = DATABASE | TOKENS | KAFKA


def read(environ: dict[str, str], *needs: Need, command: str = "") -> Settings:
    return Settings.from_environ(environ, needs=needs, command=command)


def test_the_defaults_are_those_of_the_design() -> None:
    settings = read(ALL, *Need)

    assert (settings.event_bus, settings.kafka_security_protocol) == ("kafka", "PLAINTEXT")
    assert (settings.events_topic, settings.payments_topic) == ("booking.events", "payment.events")
    assert (settings.dead_letter_topic, settings.consumer_group) == ("booking.dead-letters", "booking-core")
    assert (settings.worker_port, settings.catalog_url, settings.cors_origins) == (None, None, None)
    assert settings.jwt_jwks_url == "https://t.example.com/.well-known/jwks.json"
    assert (settings.payment_window_seconds, settings.processing_timeout_seconds) == (600, 300)
    assert (settings.idempotency_hours, settings.event_retention_days) == (24, 7)
    assert (settings.log_level, settings.log_format) == ("INFO", "json")
    assert settings.kafka_bootstrap_servers == ("a:9092", "b:9093")


def test_the_defaults_of_the_class_are_those_of_the_table() -> None:
    settings = Settings()

    for setting in SETTINGS:
        if setting.default is not None:
            assert getattr(settings, setting.attribute) == setting.read(setting.default), setting.name


@pytest.mark.parametrize(("command", "connections"), [("serve", 12), ("worker", 3), ("relay", 1), ("expire", 1)])
def test_connections_depend_on_the_command(command: str, connections: int) -> None:
    settings = read(DATABASE, Need.DATABASE, command=command)

    assert settings.db_connections == connections
    assert settings.for_adapters["BOOKING_DB_CONNECTIONS"] == str(connections)


def test_processes_share_the_connections_and_never_have_more() -> None:
    settings = read(DATABASE | {"BOOKING_DB_CONNECTIONS": "7"}, Need.DATABASE)

    share = settings.sharing_connections(2)

    assert (share.db_connections, share.for_adapters["BOOKING_DB_CONNECTIONS"]) == (3, "3")
    with pytest.raises(SettingsError, match="BOOKING_DB_CONNECTIONS must be at least 8"):
        settings.sharing_connections(8)


def test_a_command_demands_and_looks_at_only_what_it_needs() -> None:
    broken_elsewhere = DATABASE | {"BOOKING_CATALOG_URL": "nonsense", "BOOKING_IDEMPOTENCY_HOURS": "x"}

    settings = read(broken_elsewhere, Need.DATABASE)

    assert settings.catalog_url is None
    assert "BOOKING_CATALOG_URL" not in settings.for_adapters
    assert settings.for_adapters["BOOKING_IDEMPOTENCY_HOURS"] == "24"


def test_adapters_get_foreign_settings_too() -> None:
    settings = read(DATABASE | {"BOOKING_NATS_URL": "nats://n", "HOME": "/home/ann"}, Need.DATABASE)

    assert settings.for_adapters["BOOKING_NATS_URL"] == "nats://n"
    assert "HOME" not in settings.for_adapters


@pytest.mark.parametrize(
    ("environ", "needs", "name"),
    [
        ({}, (Need.DATABASE,), "BOOKING_DATABASE_URL"),
        ({"BOOKING_DATABASE_URL": ""}, (Need.DATABASE,), "BOOKING_DATABASE_URL"),
        ({}, (Need.TOKENS,), "BOOKING_JWT_ISSUER"),
        ({"BOOKING_JWT_ISSUER": "https://t/"}, (Need.TOKENS,), "BOOKING_JWT_AUDIENCE"),
        ({}, (Need.EVENT_BUS,), "BOOKING_KAFKA_BOOTSTRAP_SERVERS"),
    ],
)
def test_what_is_missing_is_named_with_an_example(environ: dict[str, str], needs: tuple[Need, ...], name: str) -> None:
    with pytest.raises(SettingsError, match=rf"^{name} is not set.*\(for example .+\)$") as error:
        read(environ, *needs)

    assert len(str(error.value).splitlines()) == 1


def test_another_bus_needs_no_kafka() -> None:
    assert read({"BOOKING_EVENT_BUS": "memory"}, Need.EVENT_BUS).event_bus == "memory"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BOOKING_DATABASE_URL", "mysql://db/booking"),
        ("BOOKING_DATABASE_URL", "postgresql://db/boo king"),
        ("BOOKING_DB_CONNECTIONS", "0"),
        ("BOOKING_DB_CONNECTIONS", "-1"),
        ("BOOKING_DB_CONNECTIONS", "1_0"),
        ("BOOKING_DB_CONNECTIONS", "\u0661"),
        ("BOOKING_DB_CONNECTIONS", "9" * 5000),
        ("BOOKING_KAFKA_BOOTSTRAP_SERVERS", "broker"),
        ("BOOKING_KAFKA_BOOTSTRAP_SERVERS", "broker:0"),
        ("BOOKING_KAFKA_SECURITY_PROTOCOL", "TLS"),
        ("BOOKING_EVENTS_TOPIC", "a topic"),
        ("BOOKING_WORKER_PORT", "65536"),
        ("BOOKING_CATALOG_URL", "ftp://catalog"),
        ("BOOKING_CATALOG_URL", "http://catalog:x/"),
        ("BOOKING_CATALOG_URL", "http://catalog/?a=b"),
        ("BOOKING_JWT_ISSUER", "tenant"),
        ("BOOKING_PAYMENT_WINDOW_SECONDS", "1.5"),
        ("BOOKING_CORS_ORIGINS", "https://a.example.com/"),
        ("BOOKING_CORS_ORIGINS", "https://a.example.com,*"),
        ("BOOKING_LOG_LEVEL", "LOUD"),
        ("BOOKING_LOG_FORMAT", "xml\nevil"),
    ],
)
def test_what_is_malformed_is_one_line_that_names_it(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=rf"^{name} must be .*\(for example .+\)$") as error:
        read(ALL | {name: value}, *Need)

    assert len(str(error.value).splitlines()) == 1
    assert len(str(error.value)) < 300


def test_lists_words_and_case() -> None:
    environ = ALL | {
        "BOOKING_CORS_ORIGINS": "https://a.example.com, http://localhost:3000,",
        "BOOKING_LOG_LEVEL": "debug",
        "BOOKING_KAFKA_SECURITY_PROTOCOL": "sasl_ssl",
    }

    settings = read(environ, *Need)

    assert settings.cors_origins == ("https://a.example.com", "http://localhost:3000")
    assert (settings.log_level, settings.kafka_security_protocol) == ("DEBUG", "SASL_SSL")


SECRET = {
    "BOOKING_DATABASE_URL": "postgresql://booking:hunter%2222@db/booking?sslpassword=opensesame&a=b",
    "BOOKING_KAFKA_SASL_PASSWORD": "swordfish",
    "BOOKING_CATALOG_URL": "https://me:letmein@catalog.example.com",
}


def test_no_secret_is_shown() -> None:
    settings = read(ALL | SECRET, *Need)

    shown = repr(settings) + str(settings)

    assert all(secret not in shown for secret in ("hunter", "opensesame", "swordfish", "letmein"))
    assert "postgresql://booking:***@db/booking?sslpassword=***&a=b" in shown
    assert {"hunter%2222", 'hunter"22', "opensesame", "swordfish", "letmein"} <= set(settings.secrets)


@pytest.mark.parametrize("name", sorted(SECRET))
def test_a_malformed_secret_is_not_quoted(name: str) -> None:
    with pytest.raises(SettingsError, match=name) as error:
        read(ALL | {name: SECRET[name].removeprefix("https").removeprefix("postgresql") + "\n"}, *Need)

    assert all(secret not in str(error.value) for secret in ("hunter", "opensesame", "swordfish", "letmein"))


def test_every_setting_is_documented() -> None:
    for setting in SETTINGS:
        assert setting.meaning
        setting.read(setting.example)
        assert setting.default is None or not setting.required


def test_a_value_that_must_be_there_by_now() -> None:
    assert required("x", "BOOKING_JWT_ISSUER") == "x"
    with pytest.raises(SettingsError, match="BOOKING_JWT_ISSUER is not set"):
        required(None, "BOOKING_JWT_ISSUER")
