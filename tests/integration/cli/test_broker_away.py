"""Commands that end by themselves say once that the broker is away, quickly, and in their own words."""

import time

import pytest

from tests.support.postgres.stage import Stage
from tests.support.processes import booking, free_port


@pytest.mark.parametrize("arguments", [("stats", "--check"), ("stats", "--check", "--json")])
def test_a_check_fails_in_one_line_if_no_broker_answers(stage: Stage, arguments: tuple[str, ...]) -> None:
    began = time.monotonic()
    done = booking(stage.url, *arguments, code=1, **away())

    [line] = done.stderr.splitlines()
    assert line.startswith("error: dead letters are not counted: ")
    assert time.monotonic() - began < 10  # the broker has 2 s; the rest is the start of the program


def test_a_replay_fails_in_one_line_if_no_broker_answers(stage: Stage) -> None:
    done = booking(stage.url, "replay", "dead-letters", code=1, **away())

    [line] = done.stderr.splitlines()
    assert line.startswith("error: BUS_UNAVAILABLE ")


def away() -> dict[str, str]:
    return {"BOOKING_EVENT_BUS": "kafka", "BOOKING_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}"}
