"""A payment and the end of its hold meet: one outcome, and the money of the loser is asked back once."""

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest

from booking_core.application import confirm_payment, expire, start_payment
from booking_core.contracts.store.fixture import content_of, in_parallel
from booking_core.domain.booking import Booking
from booking_core.domain.commands import ConfirmPayment, StartPayment
from booking_core.domain.lifecycle import Status
from booking_core.domain.values import CancellationReason, RefundReason, SeatStatus, Terms
from tests.integration.postgres.test_races import rounds
from tests.support.postgres.stage import Stage

TERMS = Terms(payment_window=timedelta(seconds=0.5), processing_timeout=timedelta(seconds=0.7))
EXPIRED = ["booking.created", "booking.expired", "booking.cancelled", "booking.refund_requested"]


def message(booking: Booking, payment_id: str = "pay-1") -> dict[str, Any]:
    return {
        "message_id": uuid4(),
        "booking_id": booking.booking_id,
        "payment_id": payment_id,
        "correlation_id": "correlation-of-the-payment",
    }


def success(booking: Booking) -> ConfirmPayment:
    return ConfirmPayment(**message(booking), amount=booking.total.amount, currency=booking.total.currency)


def refunds(stage: Stage, booking_id: UUID) -> list[tuple[str, Decimal]]:
    """Reason and amount of every refund that was asked for, as the events say it."""
    query = (
        "SELECT body::json #>> '{payload,reason}', (body::json #>> '{payload,amount}')::numeric FROM booking.outbox"
        " WHERE key = %s AND event_type = 'booking.refund_requested'"
    )
    return [tuple(row) for row in stage.door.execute(query, [booking_id])]


def is_late_and_asked_back(stage: Stage, booking: Booking) -> Booking:
    """It expired at its deadline, its payment was taken, and all of it asked back once."""
    after = stage.fixture.stored(booking)
    assert (after.status, after.cancellation_reason) == (Status.CANCELLED, CancellationReason.EXPIRED)
    assert after.ticket_reference is None
    assert [each.refund_reason for each in after.payments.values()] == [RefundReason.LATE_PAYMENT]
    assert refunds(stage, booking.booking_id) == [("LATE_PAYMENT", booking.total.amount)]
    assert stage.event_types(booking.booking_id) == EXPIRED
    return after


@pytest.mark.parametrize("processing", [False, True], ids=["PENDING", "PROCESSING"])
def test_it_arrives_in_time_and_gets_the_lock_too_late(stage: Stage, processing: bool) -> None:
    booking = stage.fixture.reserve(0, 1, window=TERMS.payment_window.total_seconds())
    if processing:
        assert start_payment(StartPayment(**message(booking)), store=stage.store, terms=TERMS)
    deadline = stage.fixture.stored(booking).deadline
    assert deadline is not None
    assert (deadline > booking.expires_at) is processing
    command = success(booking)
    with ThreadPoolExecutor(1) as thread, stage.locked_booking(booking) as outsider:
        paying = thread.submit(confirm_payment, command, store=stage.store)
        stage.await_waiting()
        assert stage.ask("SELECT clock_timestamp() < %s", [deadline]), "it arrived too late to show anything"
        stage.sleep_until(deadline)
        outsider.commit()
        assert paying.result() is True

    after = is_late_and_asked_back(stage, booking)
    assert after.cancelled_at == deadline
    assert confirm_payment(command, store=stage.store) is False
    assert expire(store=stage.store).expired == 0
    is_late_and_asked_back(stage, booking)
    stage.check_books()


def test_it_arrives_in_time_and_gets_the_lock_in_time(stage: Stage) -> None:
    booking = stage.fixture.reserve(0)
    with ThreadPoolExecutor(1) as thread, stage.locked_booking(booking) as outsider:
        paying = thread.submit(stage.fixture.pay, booking)
        stage.await_waiting()
        outsider.commit()
        assert paying.result() is True

    assert stage.fixture.stored(booking).status is Status.CONFIRMED
    assert refunds(stage, booking.booking_id) == []


@rounds(20, 1000)
@pytest.mark.timeout(3600)
def test_sweep_and_payment_race_for_the_deadline(stage: Stage, rounds: int) -> None:
    seed = int(os.environ.get("BOOKING_TEST_SEED", random.randrange(2**32)))
    print(f"BOOKING_TEST_SEED={seed}")
    chance = random.Random(seed)
    stage.set_up(seats=1)
    outcomes: Counter[str] = Counter()
    for number in range(rounds):
        booking = stage.fixture.reserve(0, user=f"ada-{number}", window=0.03)
        # A payment needs some milliseconds from its arrival until it reads the clock under its lock.
        pay_at, *sweep_at = (chance.uniform(*span) for span in ((-0.01, 0.004), (-0.004, 0.006), (-0.004, 0.006)))
        jobs: list[Callable[[], object]] = [partial(at, booking, pay_at, partial(stage.fixture.pay, booking))]
        jobs += [partial(at, booking, moment, partial(expire, store=stage.store)) for moment in sweep_at]

        paid, *swept = in_parallel(jobs)

        assert paid is True, "the payment was taken, in time or late"
        after = stage.fixture.stored(booking)
        outcomes[after.status.value] += 1
        ended = sum(each.expired for each in swept)  # type: ignore[attr-defined]
        if after.status is Status.CONFIRMED:
            assert ended == 0
            assert stage.event_types(booking.booking_id) == ["booking.created", "booking.confirmed"]
            assert after.confirmed_at is not None
            assert after.confirmed_at < booking.expires_at
            stage.fixture.cancel(after)
        else:
            assert ended <= 1
            is_late_and_asked_back(stage, booking)
        stage.check_books()
    print(f"{rounds} races: {dict(outcomes)}")
    assert sum(outcomes.values()) == rounds
    assert len(outcomes) == 2 or rounds < 1000, "nothing was raced for"
    assert stage.deadlocks() == 0


def at(booking: Booking, offset: float, job: Callable[[], object]) -> object:
    """Do the job so many seconds after the hold ends; this machine's clock is the database's."""
    moment = booking.expires_at.timestamp() + offset
    while (left := moment - time.time()) > 0:
        time.sleep(max(left - 0.001, 0))
    return job()


@pytest.mark.parametrize("same_event_id", [True, False], ids=["redelivered", "said again"])
@pytest.mark.parametrize("new_owner_pays", [False, True], ids=["held", "sold"])
def test_the_new_owner_of_the_seat_never_notices_a_late_payment(
    stage: Stage, same_event_id: bool, new_owner_pays: bool
) -> None:
    """No worker runs: the hold is over by itself, and the next customer's reservation settles it."""
    late = stage.fixture.reserve(0, user="late", window=0.2)
    stage.sleep_until(late.expires_at)
    owner = stage.fixture.reserve(0, user="owner")
    assert stage.event_types(late.booking_id) == EXPIRED[:-1]
    if new_owner_pays:
        assert stage.fixture.pay(owner, "pay-of-the-owner")
    before, said = stage.fixture.stored(owner), stage.event_types(owner.booking_id)
    command = success(late)

    told = [confirm_payment(command if same_event_id else success(late), store=stage.store) for _ in range(6)]

    assert told == [True, *[False] * 5]
    is_late_and_asked_back(stage, late)
    assert content_of(stage.fixture.stored(owner)) == content_of(before)
    assert stage.event_types(owner.booking_id) == said
    assert stage.fixture.seat_status(0) is (SeatStatus.SOLD if new_owner_pays else SeatStatus.HELD)
    if not new_owner_pays:
        assert stage.fixture.pay(owner)
    assert stage.fixture.stored(owner).status is Status.CONFIRMED
    stage.check_books()
