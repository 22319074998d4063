"""`booking doctor` as an operator runs it: the program, over everything that it looks at."""

import json
from collections.abc import Callable

from tests.support.catalog_server import reply, running
from tests.support.jwks import Jwks
from tests.support.processes import booking, free_port


def test_a_service_that_lacks_nothing(
    database_url: str, kafka_bootstrap: str, fresh_topic: Callable[[], str], jwks: Jwks
) -> None:
    events, payments, letters = (fresh_topic() for _ in range(3))
    with running() as catalog:
        catalog.answer = reply(404)
        done = booking(
            database_url,
            *("doctor", "--json"),
            BOOKING_EVENT_BUS="kafka",
            BOOKING_KAFKA_BOOTSTRAP_SERVERS=kafka_bootstrap,
            BOOKING_JWT_JWKS_URL=jwks.url,
            BOOKING_CATALOG_URL=catalog.url,
            BOOKING_EVENTS_TOPIC=events,
            BOOKING_PAYMENTS_TOPIC=payments,
            BOOKING_DEAD_LETTER_TOPIC=letters,
        )

    told = json.loads(done.stdout)
    assert told["healthy"] is True
    assert {each["check"]: each["grade"] for each in told["findings"]} == {
        "settings": "ok",
        "database": "warning",  # the test's server forgets power cuts
        **dict.fromkeys(["isolation", "connections", "schema", "writes", "clock", "broker"], "ok"),
        **{f"topic {topic}": "ok" for topic in (events, payments, letters)},
        "jwks": "ok",
        "catalog": "ok",
    }
    assert done.stderr == ""


def test_a_service_that_lacks_everything() -> None:
    nobody = f"127.0.0.1:{free_port()}"
    done = booking(
        f"postgresql://ann:db-secret@{nobody}/x",
        "doctor",
        code=1,
        BOOKING_EVENT_BUS="kafka",
        BOOKING_KAFKA_BOOTSTRAP_SERVERS=nobody,
        BOOKING_KAFKA_SECURITY_PROTOCOL="SASL_PLAINTEXT",
        BOOKING_KAFKA_SASL_MECHANISM="PLAIN",
        BOOKING_KAFKA_SASL_USERNAME="ann",
        BOOKING_KAFKA_SASL_PASSWORD="bus-secret",
        BOOKING_JWT_JWKS_URL=f"http://ann:jwks-secret@{nobody}/keys",
        BOOKING_CATALOG_URL=f"http://ann:catalog-secret@{nobody}",
        BOOKING_WORKER_PORT="none",
        BOOKING_LOG_LEVEL="DEBUG",
    )

    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert lines[0] == ["grade", "check", "found", "advice"]
    troubles = [(check, advice) for grade, check, _, advice in lines[1:] if grade == "trouble"]
    assert [check for check, _ in troubles] == ["settings", "database", "broker", "jwks", "catalog"]
    assert all(advice for _, advice in troubles)
    assert "secret" not in done.stdout + done.stderr
    assert done.stderr == ""
