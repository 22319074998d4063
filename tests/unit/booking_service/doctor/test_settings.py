"""The doctor's check of the settings: every fault, and no secret in any finding."""

import pytest

from booking_core.ports import Finding, Grade
from booking_service.doctor.components import Component
from booking_service.doctor.examination import examine
from booking_service.doctor.settings import Environment
from booking_service.setting_fields import Need
from tests.unit.booking_service.doctor.test_examination import ENVIRON, Adapters, AdapterStub, grades

EVERYTHING = list(Need)


def findings(**changes: str) -> list[Finding]:
    return list(Environment(ENVIRON | changes, EVERYTHING).findings())


def test_every_fault_of_the_settings_is_a_finding() -> None:
    found = findings(
        BOOKING_DATABASE_URL="",
        BOOKING_DB_CONNECTIONS="many",
        BOOKING_WORKER_PORT="0",
        BOOKING_CORS_ORIGINS="nonsense",
        BOOKING_LOG_FORMAT="xml",
    )

    assert [(each.grade, each.found.partition(" ")[0]) for each in found] == [
        (Grade.TROUBLE, name)
        for name in (
            *("BOOKING_DATABASE_URL", "BOOKING_DB_CONNECTIONS", "BOOKING_CORS_ORIGINS"),
            *("BOOKING_WORKER_PORT", "BOOKING_LOG_FORMAT"),
        )
    ]
    assert found[1].found == "BOOKING_DB_CONNECTIONS must be a whole number from 1 to 1000, not 'many'"
    assert found[1].advice == "set it, for example to 12"


def test_setting_required_by_another_is_a_finding() -> None:
    (found,) = findings(BOOKING_EVENT_BUS="kafka")

    assert found.found.startswith("BOOKING_KAFKA_BOOTSTRAP_SERVERS is not set")


def test_settings_without_faults_are_one_ok() -> None:
    assert grades(findings()) == [("settings", "ok")]


def test_mistyped_name_is_a_warning_with_the_likely_name() -> None:
    found = findings(BOOKING_DATABSE_URL="x", BOOKING_RABBIT_EXCHANGE="of another adapter", BOOKING_EVENT_TOPIC="y")

    assert [(each.found.partition(" ")[0], each.advice) for each in found if each.grade is Grade.WARNING] == [
        ("BOOKING_DATABSE_URL", "is BOOKING_DATABASE_URL meant?"),
        ("BOOKING_EVENT_TOPIC", "is BOOKING_EVENTS_TOPIC meant?"),
    ]


def test_component_with_faulty_settings_is_skipped_alone() -> None:
    environ = ENVIRON | {"BOOKING_DATABASE_URL": "mysql://x", "BOOKING_LOG_LEVEL": "loud"}

    found = list(examine(environ, Adapters().compose, only=[Component.DATABASE, Component.BROKER]))

    assert grades(found) == [("settings", "trouble"), ("database", "skipped"), ("broker", "warning")]


def test_settings_of_components_left_out_are_ignored() -> None:
    environ = {"BOOKING_EVENT_BUS": "memory", "BOOKING_WORKER_PORT": "x"}

    assert grades(examine(environ, Adapters().compose, only=[Component.BROKER])) == [
        ("settings", "ok"),
        ("broker", "warning"),
    ]


@pytest.mark.parametrize(
    ("environ", "leak"),
    [
        ({}, "FATAL: hunter22 is no password"),
        ({"BOOKING_DATABASE_URL": "postgresql://u:hun%2Fter@db/x"}, "hun/ter or hun%2Fter"),
        ({"BOOKING_DATABASE_URL": "postgresql://u:hun/ter?x@db/x"}, "invalid port hun/ter?x"),
        ({"BOOKING_DATABASE_URL": "postgresql://u@db/x?password=hunter22"}, "password=hunter22"),
        ({"BOOKING_DATABASE_URL": "host=db password=hunter22"}, "missing = after host=db password=hunter22"),
        ({"BOOKING_KAFKA_SASL_PASSWORD": "a://b:hush"}, "login a://b:hush refused"),
        ({"BOOKING_CATALOG_URL": "http://u:hunter22@c"}, "GET http://u:hunter22@c/api"),
        ({}, "postgresql://somebody:hunter23@elsewhere"),
    ],
)
def test_no_finding_holds_a_secret(environ: dict[str, str], leak: str) -> None:
    def leaks() -> list[Finding]:
        return [Finding(check="broker", grade=Grade.TROUBLE, found=leak, advice=f"see {leak}")]

    adapters = Adapters(bus=AdapterStub(Adapters().bus, leaks))

    found = list(
        examine(ENVIRON | environ, adapters.compose, only=[Component.BROKER, Component.DATABASE, Component.CATALOG])
    )

    said = " ".join(each.found + each.advice for each in found)
    assert "***" in said
    for secret in ("hunter2", "hun/ter", "hun%2Fter", "hush"):
        assert secret not in said


def test_password_equal_to_the_user_name_is_masked_in_urls_only() -> None:
    environ = ENVIRON | {"BOOKING_DATABASE_URL": "postgresql://booking:booking@db/booking"}
    environment = Environment(environ, EVERYTHING)

    assert environment.without_secrets("run `booking migrate`") == "run `booking migrate`"
    assert environment.without_secrets("postgresql://booking:booking@db") == "postgresql://booking:***@db"
