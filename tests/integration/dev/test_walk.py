"""The lines that `booking dev` prints are run as they are: what is tested is what people paste."""

import ast
import json
import subprocess
from typing import Any

import pytest

from tests.support.dev import Dev


@pytest.fixture(scope="module")
def walked(dev: Dev) -> list[str]:
    """Everything that bash shows, line by line."""
    done = subprocess.run(
        ["bash"], input=dev.printed, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=True
    )
    return done.stdout.splitlines()


def answers(walked: list[str]) -> list[Any]:
    return [json.loads(line) for line in walked if line.startswith('{"success"')]


def test_each_step_is_answered_as_it_should_be(walked: list[str]) -> None:
    statuses = [line.removeprefix("HTTP ") for line in walked if line.startswith("HTTP ")]
    assert statuses == ["200", "200", "201", "409", "202", "200", "200", "200"]


def test_it_leads_from_holding_to_the_refund(walked: list[str]) -> None:
    events, held, refused, payment, confirmed, cancelled = answers(walked)
    assert len(events["data"]) == 3
    wanted = {seat["seatId"] for seat in held["data"]["seats"]}
    assert held["data"]["status"] == "PENDING"
    assert len(wanted) == 2
    assert refused["error"]["code"] == "SEAT_ALREADY_RESERVED"
    assert set(refused["error"]["details"]["unavailableSeatIds"]) == wanted
    assert payment["data"]["bookingId"] == held["data"]["bookingId"]
    assert confirmed["data"]["status"] == "CONFIRMED"
    assert confirmed["data"]["ticketReference"]
    assert (cancelled["data"]["status"], cancelled["data"]["refund"]["status"]) == ("CANCELLED", "REQUESTED")
    refund = ast.literal_eval(next(line for line in reversed(walked) if line.startswith("{'")))
    assert refund["status"] == "COMPLETED"
    assert refund["amount"] == held["data"]["totalAmount"]


def test_nothing_is_used_up(dev: Dev, walked: list[str]) -> None:
    alice = dev.token("alice")
    _, held, *_ = answers(walked)
    assert {seat["seatId"] for seat in held["data"]["seats"]} <= set(dev.free_seats(alice, dev.event_id, 2000))


def test_while_all_is_well_it_says_nothing_else(dev: Dev, walked: list[str]) -> None:
    assert dev.printed.startswith("# booking dev is ready at http://127.0.0.1:")
    assert dev.errors.read_text() == ""
