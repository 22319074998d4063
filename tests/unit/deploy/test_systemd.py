"""deploy/systemd: the units start our programs with what the example of their environment says."""

from functools import cache
from typing import Final

import pytest

from tests.unit.deploy.programs import (
    A_COMMAND,
    DEPLOY,
    DRAINS_WITHIN_SECONDS,
    MOST_CONNECTIONS,
    Program,
    database_connections,
)

FOLDER: Final = DEPLOY / "systemd"
UNITS: Final = ("booking-serve.service", "booking-worker.service")
PROGRAM: Final = "/opt/booking/bin/booking"


@cache
def unit(name: str) -> dict[str, list[str]]:
    """Directives with their values, in order; sections do not share any."""
    found: dict[str, list[str]] = {}
    for line in (FOLDER / name).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith(("#", "[")):
            directive, _, value = line.partition("=")
            found.setdefault(directive, []).append(value)
    return found


def only(name: str, directive: str) -> str:
    [value] = unit(name)[directive]
    return value


def example() -> dict[str, str]:
    lines = (FOLDER / "booking.env.example").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def program(line: str) -> Program:
    path, *arguments = line.split()
    assert path == PROGRAM
    return Program(arguments=tuple(arguments), environ=example())


def started(name: str) -> Program:
    return program(only(name, "ExecStart"))


def test_all_units_are_known() -> None:
    assert {path.name for path in FOLDER.glob("*.service")} == set(UNITS)


@pytest.mark.parametrize("name", UNITS)
def test_the_programs_would_start_the_schema_first(name: str) -> None:
    before = program(only(name, "ExecStartPre"))

    assert started(name).settings().database_url == before.settings().database_url == example()["BOOKING_DATABASE_URL"]
    assert (before.command, name) == ("migrate", f"booking-{started(name).command}.service")
    assert only(name, "EnvironmentFile") == "/etc/booking/booking.env"
    # What is wrong with a setting is wrong at the next try as well; a database that is away comes back.
    assert (only(name, "Restart"), only(name, "RestartPreventExitStatus")) == ("on-failure", "2")


@pytest.mark.parametrize("name", UNITS)
def test_what_is_in_hand_may_end_first(name: str) -> None:
    assert int(only(name, "TimeoutStopSec")) > DRAINS_WITHIN_SECONDS[started(name).command]
    assert only(name, "KillMode") == "mixed"


@pytest.mark.parametrize("name", UNITS)
def test_no_root_and_nothing_to_write_but_a_place_of_its_own(name: str) -> None:
    for directive, value in {
        "DynamicUser": "yes",
        "CapabilityBoundingSet": "",
        "NoNewPrivileges": "yes",
        "PrivateTmp": "yes",
        "ProtectSystem": "strict",
        "ProtectHome": "yes",
    }.items():
        assert only(name, directive) == value


def test_connections_add_up_to_what_is_allowed() -> None:
    assert sum(database_connections(started(name)) for name in UNITS) + A_COMMAND <= MOST_CONNECTIONS


def test_the_ports_are_two() -> None:
    assert {started(name).port for name in UNITS} == {8000, 9101}
