"""Cancelling an event while somebody is in the middle of reserving or paying: nothing of it survives (spec 6.4)."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from booking_core.application import CancelledEvent, cancel_event, close_event
from booking_core.contracts.store.fixture import lock_seats
from booking_core.contracts.store.payments import paying
from booking_core.contracts.wire import payload_of
from booking_core.domain.commands import CancelEvent
from booking_core.domain.errors import EventNotOnSale
from booking_core.domain.lifecycle import Status
from booking_core.domain.values import CancellationReason, SeatStatus
from booking_core.ports import EventSelection
from tests.support.postgres.stage import Stage, until

pytestmark = pytest.mark.usefixtures("long_lock_waits")


def command(stage: Stage) -> CancelEvent:
    return CancelEvent(
        event_id=stage.fixture.event.event_id, reason="rain", administrator="admin", correlation_id="correlation"
    )


@contextmanager
def cancelling(stage: Stage) -> Iterator[Future[CancelledEvent]]:
    """Somebody cancels the event; the block begins when the closure is committed and the rest waits for a lock."""
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(cancel_event, command(stage), store=stage.store)
        until(lambda: stage.store.reads.open_closures() != [], "the event is closed")
        stage.await_blocked(1)
        assert not running.done()
        yield running


def affected(stage: Stage) -> list[int]:
    """What every `event.cancelled` that was said says."""
    stage.store.outbox.mark_published(stage.store.outbox.unpublished(100))
    said = stage.store.outbox.stored(EventSelection(types=frozenset({"event.cancelled"})), None, 100)
    return [payload_of(record)["affectedBookings"] for record in said]


@pytest.mark.parametrize("commits", [True, False], ids=["and commits", "and gives up"])
def test_a_reservation_that_saw_the_event_open_and_is_paused(stage: Stage, commits: bool) -> None:
    early = stage.fixture.reserve(0, user="early")
    with stage.store.unit_of_work() as paused:
        assert not lock_seats(paused, stage.fixture.request(5)).closed
        booking = stage.fixture.new_booking(5)
        with cancelling(stage) as running:
            assert stage.fixture.stored(early).status is Status.PENDING, "nothing ends before all have been waited for"
            if commits:
                paused.bookings.add(booking)
                paused.commit()
            else:
                paused.__exit__(None, None, None)
            done = running.result()

    assert done.bookings == (2 if commits else 1)
    assert affected(stage) == [done.bookings]
    if commits:
        after = stage.fixture.stored(booking)
        assert (after.status, after.cancellation_reason) == (Status.CANCELLED, CancellationReason.EVENT_CANCELLED)
    assert stage.fixture.seat_status(5) is SeatStatus.AVAILABLE
    stage.check_books()


def test_a_reservation_that_is_paused_before_its_seats_is_refused(stage: Stage) -> None:
    with ThreadPoolExecutor(1) as thread, stage.locked_seats(3) as outsider:
        reserving = thread.submit(stage.fixture.reserve, 3)
        stage.await_blocked(1)
        close_event(command(stage), store=stage.store)
        outsider.commit()
        assert isinstance(reserving.exception(), EventNotOnSale)

    assert cancel_event(command(stage), store=stage.store).bookings == 0
    assert affected(stage) == [0]
    stage.check_books()


def test_a_payment_that_is_paused_is_asked_back(stage: Stage) -> None:
    booking = stage.fixture.reserve(0)
    with stage.store.unit_of_work() as paused:
        locked = paused.bookings.lock(booking.booking_id)[booking.booking_id]
        with cancelling(stage) as running:
            paying("pay-1")(locked)
            paused.bookings.save(locked.booking)
            paused.commit()
            done = running.result()

    assert (done.bookings, [count for _, count in done.refunds.values()]) == (1, [1])
    assert stage.event_types(booking.booking_id) == [
        "booking.created",
        "booking.confirmed",
        "booking.refund_requested",
    ]
    assert affected(stage) == [1]
    stage.check_books()
