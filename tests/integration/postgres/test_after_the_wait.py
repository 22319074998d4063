"""What a reservation or a payment goes by is as it is after its wait for a lock: the clock, and every fact."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
import time_machine

from booking_core.application import close_event, expire
from booking_core.domain.booking import Booking
from booking_core.domain.commands import CancelEvent
from booking_core.domain.errors import EventNotOnSale, SeatAlreadyReserved, SeatNotFound
from booking_core.domain.lifecycle import Status
from booking_core.domain.values import CancellationReason, RefundReason, SeatStatus
from tests.support.postgres.stage import Stage

pytestmark = pytest.mark.usefixtures("long_lock_waits")

OUTSIDERS_LOCK = 0  # the place of the seat that another session has locked


@contextmanager
def reserving(stage: Stage, user: str = "ada") -> Iterator[tuple[Future[Booking], psycopg.Connection[Any]]]:
    """A reservation that waits for its seat, and the session that it waits for."""
    with ThreadPoolExecutor(1) as thread, stage.locked_seats(OUTSIDERS_LOCK) as outsider:
        waiting = thread.submit(stage.fixture.reserve, OUTSIDERS_LOCK, user=user)
        stage.await_waiting()
        yield waiting, outsider


def let_go(stage: Stage, outsider: psycopg.Connection[Any]) -> Any:
    """End the wait; the moment before it ended."""
    moment = stage.ask("SELECT clock_timestamp()")
    outsider.commit()
    return moment


def test_the_window_begins_after_the_wait(stage: Stage) -> None:
    with reserving(stage) as (waiting, outsider):
        moment = let_go(stage, outsider)

        booking = waiting.result()

    assert booking.created_at >= moment
    assert booking.expires_at == booking.created_at + timedelta(minutes=10)


def test_the_window_begins_after_the_wait_for_the_user_too(stage: Stage) -> None:
    stage.fixture.cancel(stage.fixture.reserve(5))
    with ThreadPoolExecutor(1) as thread, stage.outsider() as outsider:
        outsider.execute("SELECT 1 FROM booking.customers WHERE user_id = 'ada' FOR UPDATE")
        waiting = thread.submit(stage.fixture.reserve, 0)
        stage.await_waiting()
        moment = let_go(stage, outsider)

        assert waiting.result().created_at >= moment


def test_an_event_closed_during_the_wait_is_not_sold(stage: Stage) -> None:
    command = CancelEvent(
        event_id=stage.fixture.event.event_id, reason="rain", administrator="admin", correlation_id="c"
    )
    with reserving(stage) as (waiting, outsider):
        close_event(command, store=stage.store)
        let_go(stage, outsider)

        assert isinstance(waiting.exception(), EventNotOnSale)


def test_an_event_that_starts_during_the_wait_is_not_sold(stage: Stage) -> None:
    with reserving(stage) as (waiting, outsider):
        stage.door.execute("UPDATE booking.events SET starts_at = clock_timestamp() + interval '0.1 s'")
        stage.sleep_until(stage.ask("SELECT starts_at FROM booking.events"))
        let_go(stage, outsider)

        assert isinstance(waiting.exception(), EventNotOnSale)


def test_a_hold_that_ends_during_the_wait_no_longer_counts(stage: Stage) -> None:
    holds = [stage.fixture.reserve(place, window=0.6) for place in (1, 2, 3)]
    with reserving(stage) as (waiting, outsider):
        stage.sleep_until(holds[-1].expires_at)
        let_go(stage, outsider)

        assert waiting.result().status is Status.PENDING


def test_a_price_changed_during_the_wait_is_the_price(stage: Stage) -> None:
    with reserving(stage) as (waiting, outsider):
        outsider.execute(
            "UPDATE booking.seats SET price = 99.50 WHERE seat_id = %s", list(stage.fixture.ids(OUTSIDERS_LOCK))
        )
        let_go(stage, outsider)

        assert waiting.result().total.amount == Decimal("99.50")


def test_a_seat_withdrawn_during_the_wait_is_not_found(stage: Stage) -> None:
    with reserving(stage) as (waiting, outsider):
        outsider.execute(
            "UPDATE booking.seats SET withdrawn = true WHERE seat_id = %s", list(stage.fixture.ids(OUTSIDERS_LOCK))
        )
        let_go(stage, outsider)

        assert isinstance(waiting.exception(), SeatNotFound)


def test_the_next_in_line_for_an_overdue_seat_sees_who_was_first(stage: Stage) -> None:
    stage.fixture.reserve(OUTSIDERS_LOCK, user="late")
    stage.age(601)
    with ThreadPoolExecutor(2) as threads, stage.locked_seats(OUTSIDERS_LOCK) as outsider:
        waiting = [threads.submit(stage.fixture.reserve, OUTSIDERS_LOCK, user=user) for user in ("ada", "grace")]
        stage.await_waiting(2)
        outsider.rollback()
        outcomes = [each.exception() or each.result() for each in waiting]

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Booking", "SeatAlreadyReserved"]
    stage.check_books()


def test_a_payment_that_gets_the_lock_after_the_deadline_is_late(stage: Stage) -> None:
    booking = stage.fixture.reserve(0, window=0.7)
    with ThreadPoolExecutor(1) as thread, stage.locked_booking(booking) as outsider:
        paying = thread.submit(stage.fixture.pay, booking)
        stage.await_waiting()
        assert stage.ask("SELECT clock_timestamp() < %s", [booking.expires_at])
        stage.sleep_until(booking.expires_at)
        let_go(stage, outsider)
        paying.result()

    after = stage.fixture.stored(booking)
    assert (after.status, after.cancellation_reason) == (Status.CANCELLED, CancellationReason.EXPIRED)
    assert [payment.refund_reason for payment in after.payments.values()] == [RefundReason.LATE_PAYMENT]
    assert stage.event_types(booking.booking_id).count("booking.refund_requested") == 1
    stage.check_books()


@pytest.mark.parametrize("hours", [-1, 1])
def test_the_clock_of_the_application_changes_no_outcome(stage: Stage, hours: int) -> None:
    there = stage.store.reads.now() + timedelta(hours=hours)
    with time_machine.travel(there, tick=True):
        paid, pending = stage.fixture.reserve(0), stage.fixture.reserve(1)
        short = stage.fixture.reserve(2, window=0.3, user="late")
        moment = stage.ask("SELECT clock_timestamp()")
        assert all(abs(each.created_at - moment) < timedelta(minutes=1) for each in (paid, pending, short))
        assert stage.fixture.pay(paid)
        stage.sleep_until(short.expires_at)

        assert expire(store=stage.store).expired == 1
        assert stage.fixture.seat_status(2) is SeatStatus.AVAILABLE
        assert stage.fixture.seat_status(1) is SeatStatus.HELD
        taken = stage.fixture.reserve(2, user="grace")
        assert stage.fixture.cancel(taken).cancelled_at >= taken.created_at  # type: ignore[operator]  # it is set
        with pytest.raises(SeatAlreadyReserved):
            stage.fixture.reserve(1, user="grace")
        stage.age(601)
        assert stage.fixture.reserve(1, user="grace").status is Status.PENDING
        snapshot = stage.store.reads.booking(pending.booking_id)
        assert snapshot is not None
        assert snapshot.booking.cancellation_reason is CancellationReason.EXPIRED
        assert stage.fixture.stored(paid).status is Status.CONFIRMED
    stage.check_books()
