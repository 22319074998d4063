"""`booking find` and `booking show`: what finds a booking, what is shown of it, and wrong use."""

import pytest

from tests.support.workers import EVENT_ID, World
from tests.unit.booking_cli.test_commands import Booking, confirm
from tests.unit.booking_cli.test_commands import booking as booking
from tests.unit.booking_cli.test_commands import world as world


def test_each_option_finds_the_booking(world: World, booking: Booking) -> None:
    made = str(confirm(world, 1, 2))
    world.reserve(3, user="bob")
    ticket = booking.json("show", made)["ticketReference"]

    for option, value in {
        "--user": "ann",
        "--seat": f"{EVENT_ID}/A/2",
        "--payment": "pay-1",
        "--ticket": f"{ticket[:4].lower()}-{ticket[4:]}",
        "--correlation": "corr-1",
        "--status": "CONFIRMED",
    }.items():
        found = booking.json("find", option, value)
        assert [each["bookingId"] for each in found["bookings"]] == [made], option
        assert found["pagination"] == {"page": 1, "limit": 20, "total": 1, "totalPages": 1}
    assert booking.json("find", "--event", str(EVENT_ID))["pagination"]["total"] == 2
    assert booking.json("find", "--event", str(EVENT_ID), "--user", "bob", "--status", "CONFIRMED")["bookings"] == []


def test_found_bookings_are_a_table_in_pages(world: World, booking: Booking) -> None:
    for number in (1, 2, 3):
        world.reserve(number)
        world.later(1)

    lines = booking("find", "--user", "ann", "--limit", "2", "--page", "2").splitlines()

    assert lines[0] == "booking\treserved\tstatus\tevent\tseats\ttotal\tuser"
    assert lines[1].split("\t")[1:] == ["2026-03-01T10:00:00Z", "PENDING", "A concert", "A 1", "75.00 USD", "ann"]
    assert lines[2:] == ["", "3 bookings, page 2 of 2"]
    world.later(20)
    assert "\tCANCELLED (EXPIRED)\t" in booking("find", "--user", "ann")


def test_found_json_has_event_user_and_correlation(world: World, booking: Booking) -> None:
    made = world.reserve(2, 1)

    [found] = booking.json("find", "--user", "ann")["bookings"]

    shown = booking.json("show", str(made.booking_id))
    shown.pop("history")
    assert found == shown
    assert (found["eventName"], found["eventStartsAt"]) == ("A concert", "2026-04-10T10:00:00Z")
    assert (found["userId"], found["correlationId"]) == ("ann", "corr-2")
    assert [(seat["row"], seat["number"]) for seat in found["seats"]] == [("A", 1), ("A", 2)]


def test_show_names_the_event_and_the_rows_of_seats(world: World, booking: Booking) -> None:
    shown = booking("show", str(world.reserve(2).booking_id))

    assert "eventName\tA concert\n" in shown
    assert "eventStartsAt\t2026-04-10T10:00:00Z\n" in shown
    assert "\tA\t2\t75.00\n" in shown


def test_nobody_is_found_without_an_error(booking: Booking) -> None:
    assert booking("find", "--user", "nobody").splitlines()[-1] == "0 bookings"
    assert booking.json("find", "--user", "nobody") == {
        "bookings": [],
        "pagination": {"page": 1, "limit": 20, "total": 0, "totalPages": 0},
    }


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "name at least one of"),
        (["--seat", str(EVENT_ID)], "is not EVENT/ROW/NUMBER"),
        (["--seat", f"{EVENT_ID}/A/x"], "is not EVENT/ROW/NUMBER"),
        (["--seat", f"{EVENT_ID}/A/²"], "is not EVENT/ROW/NUMBER"),
        (["--seat", "hall/A/1"], "'hall' is not the id of an event"),
        (["--ticket", "short"], "cannot be a ticket reference"),
        (["--status", "PAID"], "is not one of"),
        (["--user", "ann", "--page", "0"], "--page"),
    ],
)
def test_a_look_up_that_cannot_be_is_wrong_use(booking: Booking, arguments: list[str], complaint: str) -> None:
    booking("find", *arguments, code=2)

    assert complaint in booking.err


def test_a_row_may_contain_slashes(world: World, booking: Booking) -> None:
    assert booking("find", "--seat", f"{EVENT_ID}/Box 1/2/3").splitlines()[-1] == "0 bookings"
