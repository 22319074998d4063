"""The service's own clock is an hour off, and no sweeper runs: the database's clock alone decides when a hold ends."""

import os
import time
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from booking_dev.tokens import DevTokens
from tests.support.jwks import Jwks
from tests.support.live import BOOKINGS, Answer, Customer, Live
from tests.support.postgres.fixtures import databases
from tests.support.postgres.stage import Stage

# Python imports it at the start of every process, before any module of ours can have taken hold of a clock.
SHIFT = """
import time
import time_machine
time_machine.travel(time.time() + ({hours}) * 3600, tick=True).start()
"""


@pytest.fixture(params=[-1, 1], ids=["behind", "ahead"], scope="module")
def hours(request: pytest.FixtureRequest) -> int:
    """How far ahead the service's clock is."""
    chosen: int = request.param
    return chosen


@pytest.fixture(scope="module")
def live(
    hours: int,
    postgres_url: str,
    postgres_template: str,
    tokens: DevTokens,
    jwks: Jwks,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Live]:
    """A service whose clock is off, and whose customers have a second to pay."""
    clock = tmp_path_factory.mktemp("clock")
    (clock / "sitecustomize.py").write_text(SHIFT.format(hours=hours))
    path = os.pathsep.join(filter(None, [str(clock), os.environ.get("PYTHONPATH")]))
    with (
        databases(postgres_url) as create,
        Stage.at(create(template=postgres_template)) as stage,
        Live.over(stage, tokens, jwks, PYTHONPATH=path, BOOKING_PAYMENT_WINDOW_SECONDS="1") as live,
    ):
        yield live


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def reserve_until_it_works(customer: Customer, live: Live, place: int) -> Answer:
    """Ask again and again; every refusal says that the seat is taken."""
    give_up_at = time.monotonic() + 20
    while True:
        answer = customer.call("POST", BOOKINGS, live.order(place))
        if answer.status == 201:
            return answer
        assert answer.refusal == (409, "SEAT_ALREADY_RESERVED")
        assert time.monotonic() < give_up_at, "the hold does not end"


def test_a_hold_ends_by_the_databases_clock(live: Live) -> None:
    live.stage.set_up()
    ann, bob = live.customer("ann"), live.customer("bob")

    held = ann.call("POST", BOOKINGS, live.order(0, 1)).data
    live.stage.sleep_until(held["expiresAt"])
    seen = ann.call("GET", f"{BOOKINGS}/{held['bookingId']}").data

    created = moment(held["createdAt"])
    assert abs(created - live.stage.ask("SELECT clock_timestamp()")) < timedelta(minutes=5)
    assert moment(held["expiresAt"]) == created + timedelta(seconds=1)
    assert (seen["status"], seen["cancellationReason"]) == ("CANCELLED", "EXPIRED")
    assert seen["cancelledAt"] == held["expiresAt"]
    assert len(ann.call("GET", f"{BOOKINGS}/my?status=CANCELLED").data) == 1
    written = "SELECT status FROM booking.bookings WHERE booking_id = %s"
    assert live.stage.ask(written, [held["bookingId"]]) == "PENDING", "looking changes nothing"

    assert bob.call("POST", BOOKINGS, live.order(1)).status == 201
    assert live.stage.ask(written, [held["bookingId"]]) == "CANCELLED", "who needs its seat settles it"
    live.stage.check_books()


def test_the_next_customer_gets_the_seat_at_its_end_and_not_before(live: Live) -> None:
    live.stage.set_up()
    cat, dan = live.customer("cat"), live.customer("dan")

    held = cat.call("POST", BOOKINGS, live.order(0)).data
    next_one = reserve_until_it_works(dan, live, 0).data

    assert moment(next_one["createdAt"]) >= moment(held["expiresAt"])
    live.stage.check_books()


def test_only_the_validity_of_tokens_follows_the_services_clock(live: Live, hours: int, tokens: DevTokens) -> None:
    """And so the clock is really off in these tests."""
    ending = tokens.sign("eve", lifetime_seconds=7200 + 1800)  # in half an hour
    ended = tokens.sign("eve", lifetime_seconds=7200 - 1800)  # half an hour ago

    answers = [live.customer("eve", token).call("GET", f"{BOOKINGS}/my").status for token in (ending, ended)]

    assert answers == ([401, 401] if hours > 0 else [200, 200])
