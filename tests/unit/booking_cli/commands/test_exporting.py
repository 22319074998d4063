"""`booking export`: every booking once, as CSV and as JSON lines, part after part."""

import csv
import io
import json
from typing import Any

import pytest

from booking_cli.commands import exporting
from tests.support.workers import EVENT_ID, World
from tests.unit.booking_cli.test_commands import Booking, confirm
from tests.unit.booking_cli.test_commands import booking as booking
from tests.unit.booking_cli.test_commands import world as world


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_csv_has_a_line_for_each_booking(world: World, booking: Booking) -> None:
    paid = str(confirm(world, 2, 1))
    world.later(1)
    world.reserve(3, user='bob, "the builder"\n=1+1')

    first, second = rows(booking("export", "--event", str(EVENT_ID)))

    assert tuple(first) == exporting.COLUMNS
    assert first.pop("ticketReference") == booking.json("show", paid)["ticketReference"]
    assert first == {
        "bookingId": paid,
        "eventId": str(EVENT_ID),
        "eventName": "A concert",
        "userId": "ann",
        "status": "CONFIRMED",
        "cancellationReason": "",
        "seats": "A 1, A 2",
        "totalAmount": "150.00",
        "currency": "USD",
        "paidAmount": "150.00",
        "refundedAmount": "0.00",
        "createdAt": "2026-03-01T10:00:00Z",
        "expiresAt": "2026-03-01T10:10:00Z",
        "confirmedAt": "2026-03-01T10:00:00Z",
        "cancelledAt": "",
    }
    assert (second["userId"], second["status"]) == ('bob, "the builder"\n=1+1', "PENDING")


def test_json_lines_are_the_bookings_as_shown(world: World, booking: Booking) -> None:
    made = [str(world.reserve(number, user=f"user-{number}").booking_id) for number in (1, 2, 3)]

    exported = objects(booking("export", "--json"))

    assert sorted(each["bookingId"] for each in exported) == sorted(made)
    shown = [booking.json("show", each["bookingId"]) for each in exported]
    assert [each.pop("history") for each in shown]
    assert exported == shown


@pytest.mark.parametrize("part", [1, 2, 3, 100])
def test_parts_make_no_difference(world: World, booking: Booking, monkeypatch: pytest.MonkeyPatch, part: int) -> None:
    for number in range(1, 8):
        world.reserve(number, user=f"user-{number}")
        world.later(0.1)
    monkeypatch.setattr(exporting, "PART", part)

    exported = rows(booking("export", "--event", str(EVENT_ID)))

    assert [each["seats"] for each in exported] == [f"A {number}" for number in range(1, 8)]


def test_since_leaves_out_what_was_reserved_before(world: World, booking: Booking) -> None:
    world.reserve(1)
    world.later(5)
    world.reserve(2)

    [exported] = objects(booking("export", "--since", "2026-03-01T10:05:00", "--json"))

    assert exported["seats"][0]["number"] == 2
    assert rows(booking("export", "--since", "2027-01-01T00:00:00Z")) == []


def test_money_that_went_back_is_counted(world: World, booking: Booking) -> None:
    made = str(confirm(world, 1))
    booking("cancel", made, "--reason", "x", "--refund", "full")

    [exported] = rows(booking("export"))

    assert (exported["paidAmount"], exported["refundedAmount"]) == ("75.00", "75.00")
    assert (exported["status"], exported["cancellationReason"]) == ("CANCELLED", "USER_CANCELLED")
