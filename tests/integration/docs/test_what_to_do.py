"""`docs/operations/what-to-do-when.md`: its commands print what it says, on a demo with a real broker."""

import shutil

import pytest

from booking_core.ports import Message
from tests.integration.docs.conftest import Desk, SitDown
from tests.integration.docs.pages import Step, sections, steps, text_of
from tests.support.kafka.fixtures import make_topic
from tests.support.kafka.readers import bus_at

PAGE = "operations/what-to-do-when.md"
JAZZ = "eb304562-0e09-54bc-ace1-3a450a638c4c"
CUSTOMER = "auth0|ann"
needs_psql = pytest.mark.skipif(shutil.which("psql") is None, reason="the page uses psql, which is not installed")


@pytest.fixture(scope="module")
def topics(kafka_bootstrap: str) -> dict[str, str]:
    events, payments, dead = (make_topic(kafka_bootstrap) for _ in range(3))
    return {
        "BOOKING_EVENTS_TOPIC": events,
        "BOOKING_PAYMENTS_TOPIC": payments,
        "BOOKING_DEAD_LETTER_TOPIC": dead,
        "BOOKING_CONSUMER_GROUP": f"of.{payments}",
    }


@pytest.fixture(scope="module")
def desk(sit_down: SitDown, kafka_bootstrap: str, topics: dict[str, str]) -> Desk:
    return sit_down("--kafka", kafka_bootstrap, **topics)


def follow(desk: Desk, heading: str, **variables: str) -> None:
    """Type what stands below a heading, after what the page begins with."""
    found = steps(sections(PAGE)[heading])
    assert found, heading
    here = [Step(step.typed, [_with_our_topics(line, desk) for line in step.promised]) for step in found]
    desk.walk([steps(text_of(PAGE))[0], *here], **variables)


def _with_our_topics(line: str, desk: Desk) -> str:
    for setting, of_page in _NAMES.items():
        line = line.replace(of_page, desk.settings[setting])
    return line


_NAMES = {
    "BOOKING_EVENTS_TOPIC": "booking.events",
    "BOOKING_PAYMENTS_TOPIC": "payment.events",
    "BOOKING_DEAD_LETTER_TOPIC": "booking.dead-letters",
}


def test_all_is_well(desk: Desk) -> None:
    follow(desk, "Is anything wrong at all?")


@needs_psql
def test_a_payment_that_came_too_late(desk: Desk) -> None:
    token = desk.dev.token(CUSTOMER)
    booking = desk.dev.hold(token, seats=2)["bookingId"]
    desk.dev.call("DELETE", f"/api/v1/bookings/{booking}", token=token)
    desk.dev.pay(booking)
    desk.dev.booking_when(token, booking, lambda shown: shown.get("refund", {}).get("status") == "COMPLETED")

    follow(desk, "A customer paid and sees nothing", CUSTOMER=CUSTOMER, BOOKING=booking)


@needs_psql
def test_a_seat_that_somebody_holds(desk: Desk) -> None:
    held = desk.dev.hold(desk.dev.token("ben"))

    follow(desk, "A seat is stuck", SEAT=held["seats"][0]["seatId"])


def test_the_broker_is_looked_at(desk: Desk) -> None:
    follow(desk, "The outbox grows")


def test_a_dead_letter_is_replayed(desk: Desk, kafka_bootstrap: str, topics: dict[str, str]) -> None:
    token = desk.dev.token("cleo")
    booking = desk.dev.hold(token)["bookingId"]
    bus = bus_at(kafka_bootstrap)
    bus.publish(topics["BOOKING_PAYMENTS_TOPIC"], [Message(key=booking.encode(), value=b"not JSON")])
    bus.close()
    # In the same partition after it: once this one is applied, that one is a dead letter.
    desk.dev.pay(booking)
    desk.dev.booking_when(token, booking, lambda shown: shown["status"] == "CONFIRMED")

    follow(desk, "There are dead letters")


def test_an_event_is_cancelled_and_told_again(desk: Desk) -> None:
    token = desk.dev.token("dora")
    booking = desk.dev.hold(token, JAZZ, seats=2)["bookingId"]
    desk.dev.pay(booking)
    desk.dev.booking_when(token, booking, lambda shown: shown["status"] == "CONFIRMED")

    follow(desk, "An event is cancelled", EVENT=JAZZ)

    # The refund is asked for by an event: when it is answered, those before it and it are published.
    desk.dev.booking_when(token, booking, lambda shown: shown.get("refund", {}).get("status") == "COMPLETED")
    follow(desk, "A consumer of our events has lost some", EVENT=JAZZ)


def test_every_section_with_commands_is_followed() -> None:
    followed = {
        "Is anything wrong at all?",
        "A customer paid and sees nothing",
        "A seat is stuck",
        "The outbox grows",
        "There are dead letters",
        "An event is cancelled",
        "A consumer of our events has lost some",
    }

    assert {heading for heading, text in sections(PAGE).items() if steps(text)} == followed
