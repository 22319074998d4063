"""deploy/compose.yaml: its programs start, in an order that works, with everything that they need."""

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from booking_service.catalog_file import read_catalog_file
from booking_service.settings import Settings
from tests.unit.deploy.programs import (
    A_COMMAND,
    DEPLOY,
    DRAINS_WITHIN_SECONDS,
    MOST_CONNECTIONS,
    Program,
    asked_url,
    database_connections,
    documents,
    probe_paths,
)

FILE: Final = DEPLOY / "compose.yaml"
PROGRAMS: Final = ("migrate", "catalog", "serve", "worker")
STAYING: Final = ("serve", "worker")


@cache
def services() -> Any:
    return documents(FILE)[0]["services"]


def on_this_machine(argument: str, service: Any) -> str:
    """A path in the container as the path that is mounted there."""
    for volume in service.get("volumes", []):
        source, target, *_ = volume.split(":")
        if argument.startswith(f"{target}/"):
            return str(DEPLOY / source / argument.removeprefix(f"{target}/"))
    return argument


def program(name: str) -> Program:
    service = services()[name]
    return Program(
        arguments=tuple(on_this_machine(argument, service) for argument in service["command"]),
        environ=service["environment"],
    )


def test_all_our_programs_are_known() -> None:
    ours = {name for name, service in services().items() if service["image"] == "booking-core:local"}

    assert ours == {*PROGRAMS, "tokens"}


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_program_would_start_with_the_database_of_the_file(name: str) -> None:
    made = services()["database"]["environment"]
    user, password, database = (made[f"POSTGRES_{what}"] for what in ("USER", "PASSWORD", "DB"))

    assert program(name).settings().database_url == f"postgresql://{user}:{password}@database/{database}"


def settings(name: str) -> Settings:
    # Of `serve`, what it is asked for beside the database; of the others, all.
    return program(name).settings()


def test_topics_are_those_of_the_worker() -> None:
    worker, command = settings("worker"), services()["topics"]["command"]

    assert command[:2] == ["topic", "create"]
    assert {word for word in command[2:] if not word.startswith("-")} == {
        worker.events_topic,
        worker.payments_topic,
        worker.dead_letter_topic,
    }
    assert f"--brokers={','.join(worker.kafka_bootstrap_servers or ())}" in command
    assert (
        f"--advertise-kafka-addr=PLAINTEXT://{(worker.kafka_bootstrap_servers or ('',))[0]}"
        in (services()["broker"]["command"])
    )


def test_tokens_are_signed_for_the_api_that_runs() -> None:
    serve = settings("serve")

    assert services()["tokens"]["command"] == [serve.jwt_issuer, serve.jwt_audience]
    assert serve.jwt_jwks_url == "http://tokens:8080/.well-known/jwks.json"
    assert asked_url(services()["tokens"]["healthcheck"]["test"]) == (8080, "/.well-known/jwks.json")


@pytest.mark.parametrize("name", STAYING)
def test_health_is_asked_where_it_is_told(name: str) -> None:
    port, path = asked_url(services()[name]["healthcheck"]["test"])

    assert port == program(name).port
    assert path == "/readyz"
    assert path in probe_paths(name)


def test_the_api_is_reached_from_this_machine_alone() -> None:
    assert services()["serve"]["ports"] == [f"127.0.0.1:8000:{program('serve').port}"]
    assert program("serve").options["host"] == "0.0.0.0"


def test_each_starts_when_what_it_needs_is_there() -> None:
    waits = {
        name: {needed: how["condition"].removeprefix("service_") for needed, how in service["depends_on"].items()}
        for name, service in services().items()
        if "depends_on" in service
    }

    assert waits == {
        "topics": {"broker": "healthy"},
        "migrate": {"database": "healthy"},
        "catalog": {"migrate": "completed_successfully"},
        "serve": {
            "migrate": "completed_successfully",
            "catalog": "completed_successfully",
            "tokens": "healthy",
        },
        "worker": {"migrate": "completed_successfully", "topics": "completed_successfully"},
    }
    healthy = {needed for needs in waits.values() for needed, how in needs.items() if how == "healthy"}
    assert all(services()[name]["healthcheck"]["test"] for name in healthy)


def test_connections_add_up_to_what_is_allowed() -> None:
    taken = {name: database_connections(program(name)) for name in PROGRAMS}

    assert sum(taken.values()) + A_COMMAND <= MOST_CONNECTIONS, taken


@pytest.mark.parametrize("name", [*PROGRAMS, "tokens"])
def test_no_rights_and_time_to_end(name: str) -> None:
    service = services()[name]

    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert any(mount.startswith("/tmp") for mount in service["tmpfs"])
    assert int(service["stop_grace_period"].removesuffix("s")) > max(DRAINS_WITHIN_SECONDS.values())
    assert (Path(DEPLOY) / service["build"]["context"] / service["build"]["dockerfile"]).is_file()


def test_there_are_seats_to_book() -> None:
    [event] = read_catalog_file(Path(program("catalog").arguments[-1]))

    assert len(event.seats) == 6
    readme = (DEPLOY / "README.md").read_text(encoding="utf-8")
    assert str(event.event.event_id) in readme
    assert json.dumps([str(seat.seat_id) for seat in event.seats[:2]]) in readme
