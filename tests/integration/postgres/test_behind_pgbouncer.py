"""Behind a proxy that gives every transaction another session, with prepared statements left on or turned off."""

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from booking_core.application import expire, get_booking, list_bookings, list_seats
from booking_core.contracts.store.fixture import in_parallel
from booking_core.domain.booking import Booking
from booking_core.domain.errors import PendingLimitReached, SeatAlreadyReserved
from booking_core.domain.lifecycle import Status
from booking_core.ports import Page
from booking_dev.tokens import DevTokens
from booking_postgres.driver.connection import Timeouts
from tests.integration.postgres import bouncer
from tests.support.jwks import Jwks
from tests.support.live import BOOKINGS, Live, together
from tests.support.postgres.stage import Stage, open_store

pytestmark = [
    pytest.mark.usefixtures("long_lock_waits"),
    pytest.mark.skipif(bouncer.program() is None, reason=bouncer.MISSING),
]

SERVER_CONNECTIONS = 4


@pytest.fixture(params=["", "&prepare_threshold=none"], ids=["default", "prepare_threshold=none"])
def behind(stage: Stage, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """The stage, whose store goes through pgbouncer; the door does not."""
    stage.store.close()  # its connections go past the proxy
    with bouncer.bouncer_before(stage.url, pool_size=SERVER_CONNECTIONS) as url:
        stage.store = open_store(url + request.param)
        stage.store.timeouts = Timeouts(reservation_lock="1000ms")
        stage.fixture = stage.fixture.as_seen_from(stage.store)
        yield stage
        stage.store.close()


def a_customers_visit(stage: Stage, number: int) -> None:
    """Every hot use case, written and read, often enough for statements to be prepared."""
    for turn in range(6):
        booking = stage.fixture.reserve(number, user=f"user-{number}")
        assert get_booking(booking.user_id, booking.booking_id, store=stage.store).status is Status.PENDING
        stage.fixture.start_payment(booking, f"pay-{turn}")
        stage.fixture.pay(booking, f"pay-{turn}")
        assert list_bookings(booking.user_id, Status.CONFIRMED, Page(), store=stage.store).total == 1
        assert len(list_seats(booking.event_id, store=stage.store).seats) == 12
        stage.fixture.cancel(booking)
        stage.store.outbox.unpublished(10)
        stage.store.reads.history(booking.booking_id)


def test_every_use_case_works_for_many_at_once(behind: Stage) -> None:
    outcomes = in_parallel([partial(a_customers_visit, behind, number) for number in range(12)])

    assert outcomes == [None] * 12
    assert behind.sessions() <= SERVER_CONNECTIONS
    behind.check_books()


def test_those_who_only_read_get_what_they_asked_for(behind: Stage) -> None:
    """Nothing of theirs is ever run again, and the statement of another client would answer without an error."""
    event_id, seats = behind.fixture.event.event_id, {seat.seat_id for seat in behind.fixture.seats}

    def reader(number: int) -> None:
        for turn in range(20):
            reads: list[Callable[[], object]] = [
                lambda: {each.seat.seat_id for each in behind.store.reads.seats(event_id).seats} == seats,
                lambda: behind.store.reads.event(event_id) is not None,
                lambda: behind.store.reads.bookings_of(f"user-{number}", None, Page()).total == 0,
                lambda: list(behind.store.outbox.unpublished(10)) == [],
                lambda: behind.store.upkeep.health().is_ready,
            ]
            for place in range(len(reads)):
                assert reads[(place + number + turn) % len(reads)]()

    assert in_parallel([partial(reader, number) for number in range(12)]) == [None] * 12


def test_one_seat_has_one_winner_and_nobody_else_gets_more_than_a_refusal(behind: Stage) -> None:
    for place in range(6):
        outcomes = in_parallel([partial(behind.fixture.reserve, place, user=f"user-{place}-{n}") for n in range(30)])

        kinds = [type(outcome) for outcome in outcomes]
        assert (kinds.count(Booking), kinds.count(SeatAlreadyReserved)) == (1, 29)
    behind.check_books()


def test_the_limit_of_a_customer_holds(behind: Stage) -> None:
    kinds = [type(each) for each in in_parallel([partial(behind.fixture.reserve, place) for place in range(12)])]

    assert (kinds.count(Booking), kinds.count(PendingLimitReached)) == (3, 9)


def test_locks_end_with_their_transaction(behind: Stage) -> None:
    with behind.store.unit_of_work() as uow:
        uow.bookings.lock_seats(behind.fixture.request(0))

    assert behind.fixture.reserve(0, user="grace").status is Status.PENDING


def test_the_bounds_end_with_their_transaction(behind: Stage) -> None:
    for place in range(3):
        behind.fixture.reserve(place)
    expire(store=behind.store)

    with behind.store.engine.connect() as connection:
        for _ in range(8):
            shown = connection.exec_driver_sql("SHOW lock_timeout").scalar()
            connection.rollback()
            assert shown == "0"


@pytest.mark.parametrize("more", ["", "&prepare_threshold=none"], ids=["default", "prepare_threshold=none"])
def test_groups_of_two_processes_work(stage: Stage, tokens: DevTokens, jwks: Jwks, more: str) -> None:
    stage.set_up(seats=200)
    stage.store.close()  # its connections go past the proxy
    with (
        bouncer.bouncer_before(stage.url, pool_size=SERVER_CONNECTIONS) as url,
        Live.over(stage, tokens, jwks, BOOKING_DATABASE_URL=url + more) as live,
    ):
        crowd = live.crowd(60, "behind")
        for turn in range(3):
            apart = [
                partial(each.insist, "POST", BOOKINGS, live.order(1 + turn * 60 + n), Idempotency_Key=f"k-{turn}")
                for n, each in enumerate(crowd)
            ]
            answers = together(apart)
            assert {answer.status for answer in answers} == {201}
            again = together(apart)
            assert [answer.body for answer in again] == [answer.body for answer in answers]

        rivals = live.crowd(60, "rival")
        answers = together([partial(each.insist, "POST", BOOKINGS, live.order(0)) for each in rivals])

        assert sorted(answer.status for answer in answers) == [201] + [409] * 59
        assert 0 < live.groups * 2 < live.metric("booking_group_size_sum")
        assert live.metric("booking_group_failures_total") == 0
        assert stage.sessions() <= SERVER_CONNECTIONS
    stage.check_books()
