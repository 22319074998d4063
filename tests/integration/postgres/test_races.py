"""Many threads on a real PostgreSQL: one winner per seat, three holds per customer, no deadlock, one outcome."""

from collections.abc import Callable
from functools import partial

import pytest

from booking_core.application import expire
from booking_core.contracts.store.fixture import in_parallel
from booking_core.domain.booking import Booking
from booking_core.domain.errors import PendingLimitReached, SeatAlreadyReserved
from booking_core.domain.lifecycle import Status
from booking_core.domain.values import CancellationReason
from booking_core.ports import Page
from tests.support.postgres.stage import Stage

pytestmark = pytest.mark.usefixtures("long_lock_waits")


def rounds(few: int, many: int) -> pytest.MarkDecorator:
    """Few rounds in every run, many with `make soak`."""
    return pytest.mark.parametrize("rounds", [few, pytest.param(many, marks=pytest.mark.soak)])


@rounds(2, 20)
def test_of_200_customers_one_gets_the_seat(stage: Stage, rounds: int) -> None:
    stage.set_up(seats=rounds)
    for place in range(rounds):
        outcomes = in_parallel([partial(stage.fixture.reserve, place, user=f"user-{n}") for n in range(200)])

        (winner,) = [outcome for outcome in outcomes if isinstance(outcome, Booking)]
        losers = [outcome for outcome in outcomes if outcome is not winner]
        assert {type(error) for error in losers} == {SeatAlreadyReserved}
        assert stage.store.reads.booking(winner.booking_id) is not None
    assert stage.ask("SELECT count(*) FROM booking.bookings") == rounds
    stage.check_books()


@rounds(3, 50)
def test_of_12_free_seats_one_customer_gets_three(stage: Stage, rounds: int) -> None:
    for number in range(rounds):
        stage.set_up(seats=12)

        outcomes = in_parallel([partial(stage.fixture.reserve, place, user=f"user-{number}") for place in range(12)])

        kinds = [type(outcome) for outcome in outcomes]
        assert (kinds.count(Booking), kinds.count(PendingLimitReached)) == (3, 9)
        assert stage.store.reads.bookings_of(f"user-{number}", Status.PENDING, Page()).total == 3
    stage.check_books()


@rounds(100, 1000)
def test_the_same_two_seats_in_both_orders_never_deadlock(stage: Stage, rounds: int) -> None:
    stage.set_up(seats=2)
    for number in range(rounds):
        outcomes = in_parallel(
            [
                partial(stage.fixture.reserve, 0, 1, user=f"ada-{number}"),
                partial(stage.fixture.reserve, 1, 0, user=f"grace-{number}"),
            ]
        )

        (winner,) = [outcome for outcome in outcomes if isinstance(outcome, Booking)]
        (refused,) = [outcome for outcome in outcomes if outcome is not winner]
        assert isinstance(refused, SeatAlreadyReserved)
        stage.fixture.cancel(winner)
    stage.check_books()
    assert stage.deadlocks() == 0


@rounds(50, 500)
def test_two_customers_take_each_others_overdue_seats(stage: Stage, rounds: int) -> None:
    stage.set_up(seats=2)
    for number in range(rounds):
        ada, grace = f"ada-{number}", f"grace-{number}"
        late = [stage.fixture.reserve(0, user=ada), stage.fixture.reserve(1, user=grace)]
        stage.age(601)

        made = in_parallel([partial(stage.fixture.reserve, 1, user=ada), partial(stage.fixture.reserve, 0, user=grace)])

        for booking in late:
            assert stage.triggers(booking.booking_id) == ["RESERVE", "TIME"]
            assert stage.event_types(booking.booking_id)[1:] == ["booking.expired", "booking.cancelled"]
        for outcome in made:
            assert isinstance(outcome, Booking), outcome
            stage.fixture.cancel(outcome)
    stage.check_books()
    assert stage.deadlocks() == 0


@rounds(20, 200)
def test_both_overdue_seats_wanted_by_many_and_the_sweep_at_once(stage: Stage, rounds: int) -> None:
    stage.set_up(seats=2)
    for number in range(rounds):
        late = [stage.fixture.reserve(place, user=f"late-{number}") for place in (0, 1)]
        stage.age(601)
        jobs: list[Callable[[], object]] = [
            *(partial(stage.fixture.reserve, *places, user=f"{n}-{number}") for n, places in enumerate([(0, 1)] * 4)),
            partial(expire, store=stage.store),
            partial(expire, store=stage.store),
        ]

        outcomes = in_parallel(jobs)

        (winner,) = [outcome for outcome in outcomes if isinstance(outcome, Booking)]
        for booking in late:
            assert stage.triggers(booking.booking_id) == ["RESERVE", "TIME"]
            assert stage.event_types(booking.booking_id)[1:] == ["booking.expired", "booking.cancelled"]
        stage.fixture.cancel(winner)
    stage.check_books()
    assert stage.deadlocks() == 0


@rounds(20, 300)
def test_payment_sweep_and_the_next_customer_agree_on_one_outcome(stage: Stage, rounds: int) -> None:
    """A hold ends in the middle of the race: whoever is first, everybody then tells the same story."""
    stage.set_up(seats=1)
    for number in range(rounds):
        booking = stage.fixture.reserve(0, user=f"ada-{number}")
        stage.age(599.98)  # its last hundredth of a second or two

        jobs: list[Callable[[], object]] = [
            *[partial(stage.fixture.pay, booking, f"pay-{n % 2}") for n in range(4)],
            *[partial(expire, store=stage.store) for _ in range(3)],
            *[partial(stage.fixture.reserve, 0, user=f"grace-{number}-{n}") for n in range(3)],
        ]
        outcomes = in_parallel(jobs)

        after = stage.fixture.stored(booking)
        taken = [payment for payment in after.payments.values() if payment.is_taken]
        kept = [payment for payment in taken if payment.refund_reason is None]
        assert len(taken) == 2
        said = stage.event_types(booking.booking_id)
        assert said.count("booking.refund_requested") == 2 - len(kept)
        if after.status is Status.CONFIRMED:
            assert len(kept) == 1
            assert not any(isinstance(outcome, Booking) for outcome in outcomes)
            stage.fixture.cancel(after)
        else:
            assert (after.status, after.cancellation_reason) == (Status.CANCELLED, CancellationReason.EXPIRED)
            assert (said.count("booking.expired"), said.count("booking.cancelled"), len(kept)) == (1, 1, 0)
        for outcome in outcomes:
            if isinstance(outcome, Booking):
                stage.fixture.cancel(outcome)
        stage.check_books()
    assert stage.deadlocks() == 0
