"""No wait is without end, and what need not wait does not."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from uuid import uuid4

import pytest

from booking_core.application import IdempotentCall, ReplayedResponse, reserve_once
from booking_core.contracts.store.fixture import in_parallel
from booking_core.domain.booking import Booking
from booking_core.domain.errors import (
    IdempotencyInProgress,
    PendingLimitReached,
    SeatAlreadyReserved,
    ServiceBusy,
    TransactionConflict,
)
from booking_core.domain.lifecycle import Status
from booking_core.domain.reservation import IdempotencyKey
from tests.support.postgres.stage import Stage

LOCK_WAIT = 1.0
SEAT_WAIT = 0.25
SLACK = 1.5  # the machine may be busy


@contextmanager
def takes(at_least: float, at_most: float) -> Iterator[None]:
    """The block must take so many seconds."""
    start = time.monotonic()
    yield
    assert at_least <= time.monotonic() - start < at_most


def key(stage: Stage, name: str = "k", user: str = "ada") -> IdempotentCall:
    return IdempotentCall(
        key=IdempotencyKey(user_id=user, operation="POST /bookings", key=name, fingerprint="f"),
        render=lambda booking: str(booking.booking_id),
    )


def reserve_with_key(stage: Stage, place: int, once: IdempotentCall) -> Booking | ReplayedResponse:
    return reserve_once(stage.fixture.command(place), once=once, store=stage.store)


def test_a_locked_seat_is_given_up_after_a_quarter_of_a_second(stage: Stage) -> None:
    with stage.locked_seats(0), takes(SEAT_WAIT * 0.9, SEAT_WAIT + SLACK), pytest.raises(ServiceBusy) as refusal:
        stage.fixture.reserve(0)

    assert not isinstance(refusal.value, TransactionConflict)
    assert stage.fixture.reserve(0).status is Status.PENDING


def test_a_locked_booking_is_given_up_after_a_second(stage: Stage) -> None:
    booking = stage.fixture.reserve(0)
    for attempt in (stage.fixture.pay, stage.fixture.cancel, stage.fixture.start_payment):
        with stage.locked_booking(booking), takes(LOCK_WAIT * 0.9, LOCK_WAIT + SLACK), pytest.raises(ServiceBusy):
            attempt(booking)
    assert stage.triggers(booking.booking_id) == ["RESERVE"]


def test_a_taken_seat_is_refused_at_once_while_its_row_is_locked(stage: Stage) -> None:
    stage.fixture.pay(stage.fixture.reserve(0, user="grace"))
    with stage.locked_seats(0, 1), takes(0, LOCK_WAIT * 0.8), pytest.raises(SeatAlreadyReserved) as refusal:
        stage.fixture.reserve(0, 1)

    assert refusal.value.details == {"unavailableSeatIds": [str(stage.fixture.ids(0)[0])]}


def test_a_taken_seat_is_refused_at_once_while_the_customer_reserves_elsewhere(stage: Stage) -> None:
    stage.fixture.reserve(0, user="grace")
    with stage.outsider() as outsider:
        outsider.execute("INSERT INTO booking.customers VALUES ('ada')")
        with takes(0, LOCK_WAIT * 0.8), pytest.raises(SeatAlreadyReserved):
            stage.fixture.reserve(0)


def test_the_sweep_waits_for_nobody(stage: Stage) -> None:
    held, other = stage.fixture.reserve(0, user="ada"), stage.fixture.reserve(1, user="grace")
    stage.age(601)
    with stage.locked_booking(held), takes(0, LOCK_WAIT * 0.8), stage.store.unit_of_work() as uow:
        assert uow.bookings.expire_overdue(10).expired == 1
        uow.commit()

    assert stage.triggers(held.booking_id) == ["RESERVE"]
    assert stage.triggers(other.booking_id) == ["RESERVE", "TIME"]


class TestIdempotencyKeys:
    def test_a_key_held_by_another_session_is_in_progress_after_a_bounded_wait(self, stage: Stage) -> None:
        with stage.outsider() as outsider:
            outsider.execute(
                "INSERT INTO booking.idempotency_keys VALUES ('ada', 'POST /bookings', 'k', 'f', NULL, now())"
            )
            with takes(SEAT_WAIT * 0.9, SEAT_WAIT + SLACK), pytest.raises(IdempotencyInProgress):
                reserve_with_key(stage, 0, key(stage))

        assert isinstance(reserve_with_key(stage, 0, key(stage)), Booking)

    def test_a_key_is_claimed_under_the_lock_of_its_user(self, stage: Stage) -> None:
        stage.fixture.cancel(stage.fixture.reserve(1))
        with ThreadPoolExecutor(1) as threads, stage.outsider() as outsider:
            outsider.execute("SELECT FROM booking.customers WHERE user_id = 'ada' FOR UPDATE")
            waiting = threads.submit(reserve_with_key, stage, 0, key(stage))
            stage.await_waiting(1)
            # Not claimed yet, so that the holder of the user never waits for the key.
            outsider.execute("SET LOCAL lock_timeout = '1ms'")
            outsider.execute(
                "INSERT INTO booking.idempotency_keys VALUES ('ada', 'POST /bookings', 'k', 'f', 'first', now())"
            )
            outsider.commit()

            assert waiting.result() == ReplayedResponse(text="first")

    def test_who_waited_for_the_first_request_gets_its_answer(self, stage: Stage) -> None:
        with ThreadPoolExecutor(2) as threads, stage.locked_seats(0) as outsider:
            first = threads.submit(reserve_with_key, stage, 0, key(stage))
            stage.await_waiting(1)
            second = threads.submit(reserve_with_key, stage, 0, key(stage))
            stage.await_waiting(2)
            outsider.rollback()
            booking, answer = first.result(), second.result()

        assert isinstance(booking, Booking)
        assert answer == ReplayedResponse(text=str(booking.booking_id))

    def test_a_refused_first_request_leaves_the_key_to_the_second(self, stage: Stage) -> None:
        stage.fixture.reserve(0, user="grace")
        for _ in range(2):
            with pytest.raises(SeatAlreadyReserved):
                reserve_with_key(stage, 0, key(stage))

        assert isinstance(reserve_with_key(stage, 1, key(stage)), Booking)
        assert stage.ask("SELECT count(*) FROM booking.idempotency_keys") == 1

    @pytest.mark.parametrize("rounds", [3, pytest.param(30, marks=pytest.mark.soak)])
    def test_50_times_the_same_key_make_one_booking(self, stage: Stage, rounds: int) -> None:
        stage.set_up(seats=rounds)
        for place in range(rounds):
            once = key(stage, name=str(uuid4()))
            jobs: list[Callable[[], Booking | ReplayedResponse]] = [partial(reserve_with_key, stage, place, once)] * 50

            outcomes = in_parallel(jobs)

            (made,) = [outcome for outcome in outcomes if isinstance(outcome, Booking)]
            for other in (outcome for outcome in outcomes if outcome is not made):
                assert isinstance(other, IdempotencyInProgress) or other == ReplayedResponse(text=str(made.booking_id))
            stage.fixture.cancel(made)
        assert stage.ask("SELECT count(*) FROM booking.bookings") == rounds
        stage.check_books()

    def test_a_key_that_outlived_its_time_is_taken_over_by_one(self, stage: Stage) -> None:
        reserve_with_key(stage, 0, key(stage))
        stage.age(25 * 3600)
        jobs: list[Callable[[], Booking | ReplayedResponse]] = [
            partial(reserve_with_key, stage, place, key(stage)) for place in range(1, 9)
        ]

        outcomes = in_parallel(jobs)

        (made,) = [outcome for outcome in outcomes if isinstance(outcome, Booking)]
        allowed = (IdempotencyInProgress, PendingLimitReached, TransactionConflict)
        for other in (outcome for outcome in outcomes if outcome is not made):
            assert isinstance(other, allowed) or other == ReplayedResponse(text=str(made.booking_id)), other
