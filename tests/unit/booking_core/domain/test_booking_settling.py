"""Reserving starts a clock; a hold whose deadline has come is over, whoever sees it and whenever."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from booking_core.domain.booking import Booking
from booking_core.domain.errors import BookingNotCancellable
from booking_core.domain.identity import slot_of_booking, slot_of_event
from booking_core.domain.lifecycle import Status, Trigger
from booking_core.domain.payments import RefundStatus
from booking_core.domain.values import ActorKind, CancellationReason, Terms
from booking_core.messages.envelopes import event_type_of, payload_of
from tests.support.builders import (
    ADMIN,
    AGAIN,
    EVENT_ID,
    EXPIRY_JOB,
    MICROSECOND,
    PAYMENT,
    SEAT_IDS,
    SEATS,
    STARTS_AT,
    TERMS,
    USER,
    at,
    cancelled,
    confirmed,
    just_reserved,
    loaded,
    pending,
    processing,
    usd,
)


def test_reserving_holds_the_seats_for_ten_minutes_and_says_so() -> None:
    booking = just_reserved()

    assert (booking.status, booking.user_id, booking.event_id) == (Status.PENDING, USER, EVENT_ID)
    assert (booking.created_at, booking.expires_at, booking.deadline) == (at(0), at(10), at(10))
    assert (booking.seats, booking.seat_ids, booking.total) == (SEATS, SEAT_IDS, usd("150.00"))
    assert (booking.is_live, booking.payments, booking.correlation_id) == (True, {}, "corr-reserve")
    assert (booking.processing_started_at, booking.confirmed_at, booking.cancelled_at) == (None, None, None)
    assert slot_of_booking(booking.booking_id) == slot_of_event(EVENT_ID)
    (said,) = booking.new_events
    assert (event_type_of(said), said.sequence, said.timestamp) == ("booking.created", 1, at(0))
    assert said.correlation_id == "corr-reserve"
    assert payload_of(said) == {
        "bookingId": str(booking.booking_id),
        "userId": "auth0|ann",
        "eventId": str(EVENT_ID),
        "seatIds": [str(each) for each in SEAT_IDS],
        "totalAmount": Decimal("150.00"),
        "currency": "USD",
        "expiresAt": "2026-03-01T10:10:00Z",
    }


def test_reserving_opens_the_history() -> None:
    booking = just_reserved()

    (entry,) = booking.new_history
    assert (entry.number, entry.at, entry.trigger) == (1, at(0), Trigger.RESERVE)
    assert (entry.from_status, entry.to_status) == (None, Status.PENDING)
    assert (entry.actor, entry.actor_id, entry.correlation_id) == (ActorKind.CUSTOMER, USER, "corr-reserve")
    assert (entry.payment_id, entry.note) == (None, "")
    assert (booking.revision, booking.sequence, booking.loaded_revision) == (1, 1, 0)


def test_the_terms_decide_how_long() -> None:
    terms = Terms(payment_window=timedelta(seconds=90), processing_timeout=timedelta(seconds=45))
    booking = just_reserved(terms=terms)
    assert (booking.expires_at, booking.deadline) == (at(1.5), at(1.5))

    booking.start_payment("pay-1", at(1), terms, PAYMENT)
    assert (booking.expires_at, booking.deadline) == (at(1.5), at(1.75))


@pytest.mark.parametrize(("started", "deadline"), [(0, 10), (4, 10), (5, 10), (5.5, 10.5), (9, 14)])
def test_a_payment_in_progress_has_the_later_of_the_window_and_five_minutes(started: float, deadline: float) -> None:
    booking = pending()
    booking.start_payment("pay-1", at(started), TERMS, PAYMENT)

    assert (booking.deadline, booking.expires_at) == (at(deadline), at(10))
    assert (booking.processing_started_at, booking.status) == (at(started), Status.PROCESSING)


@pytest.mark.parametrize(("build", "deadline"), [(pending, at(10)), (processing, at(12))])
def test_in_time_is_before_the_deadline(build: Callable[[], Booking], deadline: datetime) -> None:
    in_time, too_late = build(), build()
    in_time.confirm("pay-1", usd("150.00"), deadline - MICROSECOND, PAYMENT)
    too_late.confirm("pay-1", usd("150.00"), deadline, PAYMENT)

    assert (in_time.status, in_time.deadline) == (Status.CONFIRMED, None)
    assert (too_late.status, too_late.cancellation_reason) == (Status.CANCELLED, CancellationReason.EXPIRED)
    assert [build().is_overdue(deadline + step) for step in (-MICROSECOND, timedelta(0), MICROSECOND)] == [0, 1, 1]


@pytest.mark.parametrize(("build", "deadline"), [(pending, at(10)), (processing, at(12))])
def test_expiring_ends_an_overdue_hold_once(build: Callable[[], Booking], deadline: datetime) -> None:
    booking, before = build(), build().status
    assert booking.expire(deadline - MICROSECOND, EXPIRY_JOB) is False
    assert (booking.new_events, booking.new_history, booking.status) == ([], [], before)

    assert booking.expire(at(60), EXPIRY_JOB) is True
    assert booking.expire(at(61), EXPIRY_JOB) is False

    assert (booking.cancelled_at, booking.is_live, booking.deadline) == (deadline, False, None)
    payload = {
        "bookingId": str(booking.booking_id),
        "userId": USER,
        "reason": "EXPIRED",
        "releasedSeatIds": [str(each) for each in SEAT_IDS],
    }
    said = [(event_type_of(each), payload_of(each), each.correlation_id) for each in booking.new_events]
    assert said == [
        ("booking.expired", payload, "corr-reserve"),
        ("booking.cancelled", payload, "corr-reserve"),
    ]
    (entry,) = booking.new_history
    assert (entry.trigger, entry.from_status, entry.to_status, entry.at) == (
        Trigger.EXPIRY,
        before,
        Status.CANCELLED,
        at(60),
    )
    assert (entry.actor, entry.actor_id, entry.correlation_id) == (ActorKind.EXPIRY_JOB, "sweep-1", "corr-reserve")


def test_what_settles_a_hold_says_so_under_the_bookings_own_correlation() -> None:
    booking = pending()
    booking.confirm("pay-1", usd("150.00"), at(11), PAYMENT)

    assert [(event_type_of(each), each.correlation_id) for each in booking.new_events] == [
        ("booking.expired", "corr-reserve"),
        ("booking.cancelled", "corr-reserve"),
        ("booking.refund_requested", "corr-payment"),
    ]


def test_cancelling_an_overdue_hold_settles_it_and_is_refused() -> None:
    booking = processing()
    with pytest.raises(BookingNotCancellable):
        booking.cancel(at(12), STARTS_AT, AGAIN)

    assert (booking.cancellation_reason, booking.cancelled_at) == (CancellationReason.EXPIRED, at(12))


def test_cancelling_the_event_over_an_overdue_hold_does_not_count_as_ending_it() -> None:
    overdue, live = pending(), pending()

    assert overdue.cancel_for_event(at(10), ADMIN) is False
    assert live.cancel_for_event(at(10) - MICROSECOND, ADMIN) is True
    assert live.cancel_for_event(at(10), ADMIN) is False
    assert overdue.cancellation_reason is CancellationReason.EXPIRED


@pytest.mark.parametrize(("build", "deadline"), [(pending, at(10)), (processing, at(12))])
def test_reading_shows_an_overdue_hold_as_expired_and_changes_nothing(
    build: Callable[[], Booking], deadline: datetime
) -> None:
    booking, before = build(), build().status
    seen = booking.as_of(at(600))

    assert (seen.status, seen.cancellation_reason) == (Status.CANCELLED, CancellationReason.EXPIRED)
    assert (seen.cancelled_at, seen.deadline, seen.is_live) == (deadline, None, False)
    assert (seen.new_events, seen.new_history) == ([], [])
    assert (seen.revision, seen.sequence) == (booking.revision, booking.sequence)
    assert (booking.status, booking.cancelled_at, booking.deadline) == (before, None, deadline)
    assert (booking.new_events, booking.new_history) == ([], [])


@pytest.mark.parametrize("build", [pending, processing])
def test_reading_in_time_shows_the_booking_as_it_is(build: Callable[[], Booking]) -> None:
    booking = build()
    assert booking.deadline is not None
    seen = booking.as_of(booking.deadline - MICROSECOND)

    assert seen is not booking
    assert (seen.status, seen.deadline, seen.payments) == (booking.status, booking.deadline, booking.payments)


def test_what_is_read_is_not_the_booking_itself() -> None:
    booking = just_reserved()
    booking.start_payment("pay-1", at(1), TERMS, PAYMENT)
    seen = booking.as_of(at(2))
    seen.confirm("pay-1", usd("150.00"), at(3), PAYMENT)

    assert booking.status is Status.PROCESSING
    assert booking.payments["pay-1"].taken_at is None
    assert (len(booking.new_events), len(booking.new_history)) == (1, 2)


def test_ended_and_confirmed_bookings_are_never_overdue() -> None:
    others = [confirmed(), *(cancelled(reason) for reason in CancellationReason)]

    assert [booking.is_overdue(at(10**6)) for booking in others] == [False] * 5
    assert [booking.is_live for booking in others] == [True, False, False, False, False]


def test_a_booking_equals_itself_alone() -> None:
    booking = pending()

    assert booking != loaded(booking)
    assert len({booking, loaded(booking), booking}) == 2


@pytest.mark.parametrize(
    "meet",
    [
        lambda booking: booking.answer_refund("pay-1", RefundStatus.COMPLETED, "", at(11), PAYMENT),
        lambda booking: booking.start_payment("pay-1", at(11), TERMS, PAYMENT),
        lambda booking: booking.confirm("pay-1", usd("1.00"), at(11), PAYMENT),
        lambda booking: booking.fail_payment("pay-1", "", at(11), PAYMENT),
    ],
    ids=["refund answered", "payment.processing again", "payment.success again", "payment.failed after success"],
)
def test_an_overdue_hold_with_a_mismatched_payment_is_settled_by_what_that_payment_brings(
    meet: Callable[[Booking], object],
) -> None:
    booking = pending()
    booking.confirm("pay-1", usd("1.00"), at(9), PAYMENT)
    meet(booking)

    assert (booking.status, booking.cancelled_at) == (Status.CANCELLED, at(10))
    assert [entry.trigger for entry in booking.new_history][1] is Trigger.EXPIRY
