"""Money: every payment is recorded once, taken once, and asked back at most once, in whichever order it is told."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import pytest

from booking_core.domain.booking import Booking
from booking_core.domain.identity import slot_of_booking, slot_of_ticket
from booking_core.domain.lifecycle import Status, Trigger
from booking_core.domain.payments import PaymentStatus, RefundStatus
from booking_core.domain.values import CancellationReason, Money, RefundReason
from booking_core.messages.envelopes import event_type_of, payload_of
from tests.support.builders import (
    ADMIN,
    AGAIN,
    PAYMENT,
    STARTS_AT,
    TERMS,
    at,
    cancelled,
    confirmed,
    loaded,
    pending,
    processing,
    usd,
)

FULL = usd("150.00")


def refunds(booking: Booking) -> list[tuple[str, str]]:
    payloads = [payload_of(each) for each in booking.new_events if event_type_of(each) == "booking.refund_requested"]
    return [(payload["paymentId"], payload["reason"]) for payload in payloads]


def test_confirming_hands_out_a_ticket_that_carries_the_bookings_slot() -> None:
    booking = pending()
    booking.confirm("pay-1", FULL, at(9), PAYMENT)

    assert (booking.status, booking.confirmed_at, booking.confirmed_by) == (Status.CONFIRMED, at(9), "pay-1")
    assert (booking.deadline, booking.is_live, booking.expires_at) == (None, True, at(10))
    assert booking.ticket_reference is not None
    assert slot_of_ticket(booking.ticket_reference) == slot_of_booking(booking.booking_id)
    (said,) = booking.new_events
    assert payload_of(said)["ticketReference"] == booking.ticket_reference
    assert said.correlation_id == "corr-payment"
    (entry,) = booking.new_history
    assert (entry.payment_id, entry.actor_id, entry.correlation_id) == ("pay-1", "message-1", "corr-payment")


@pytest.mark.parametrize("amount", ["150", "150.0", "1.5E+2", "150.000"])
def test_the_same_amount_written_otherwise_is_the_amount(amount: str) -> None:
    booking = pending()
    booking.confirm("pay-1", usd(amount), at(1), PAYMENT)

    assert booking.status is Status.CONFIRMED


def test_a_payment_is_recorded_once_from_processing_to_taken() -> None:
    booking = processing()
    assert booking.payments["pay-1"].status is PaymentStatus.PROCESSING
    booking.confirm("pay-1", FULL, at(8), PAYMENT)

    (payment,) = booking.payments.values()
    assert (payment.payment_id, payment.status, payment.is_taken) == ("pay-1", PaymentStatus.TAKEN, True)
    assert (payment.recorded_at, payment.taken_at) == (at(7), at(8))
    assert (payment.amount, payment.currency) == (Decimal("150.00"), "USD")
    assert (payment.refund_reason, payment.refund_status, payment.refund_requested_at) == (None, None, None)


@pytest.mark.parametrize("payment_id", ["pay-1", "pay-2"])
def test_a_repeated_processing_keeps_the_first_start(payment_id: str) -> None:
    booking = processing()
    booking.start_payment(payment_id, at(11), TERMS, PAYMENT)

    assert (booking.processing_started_at, booking.deadline) == (at(7), at(12))
    assert (booking.new_events, booking.new_history, list(booking.payments)) == ([], [], ["pay-1"])


def _mismatched() -> Booking:
    booking = pending()
    booking.confirm("pay-1", usd("1.00"), at(8), PAYMENT)
    return loaded(booking)


def _late() -> Booking:
    booking = cancelled(CancellationReason.EXPIRED)
    booking.confirm("pay-1", FULL, at(11), PAYMENT)
    return loaded(booking)


REDELIVERIES: list[Callable[[Booking, datetime], object]] = [
    lambda booking, now: booking.confirm("pay-1", FULL, now, PAYMENT),
    lambda booking, now: booking.confirm("pay-1", usd("3.00"), now, PAYMENT),
    lambda booking, now: booking.fail_payment("pay-1", "too late", now, PAYMENT),
    lambda booking, now: booking.start_payment("pay-1", now, TERMS, PAYMENT),
]


@pytest.mark.parametrize("deliver", REDELIVERIES, ids=["success", "other success", "failed", "processing"])
@pytest.mark.parametrize("build", [confirmed, _mismatched, _late])
def test_a_taken_payment_can_be_told_again_without_effect(
    build: Callable[[], Booking], deliver: Callable[[Booking, datetime], object]
) -> None:
    booking = build()
    before, status = repr(booking.payments), booking.status
    deliver(booking, at(9))

    assert (booking.status, repr(booking.payments)) == (status, before)
    assert (booking.new_events, booking.new_history) == ([], [])


def test_failing_ends_the_hold_and_says_why_in_the_history() -> None:
    booking = processing()
    booking.fail_payment("pay-1", "card declined", at(9), PAYMENT)

    assert (booking.status, booking.cancelled_at, booking.is_live) == (Status.CANCELLED, at(9), False)
    assert booking.payments["pay-1"].status is PaymentStatus.FAILED
    assert booking.payments["pay-1"].recorded_at == at(7)
    (entry,) = booking.new_history
    assert (entry.trigger, entry.payment_id, entry.note) == (Trigger.PAYMENT_FAILED, "pay-1", "card declined")
    assert (entry.from_status, entry.to_status) == (Status.PROCESSING, Status.CANCELLED)


def test_success_after_failed_of_the_same_payment_is_taken_and_asked_back() -> None:
    booking = cancelled(CancellationReason.PAYMENT_FAILED)
    booking.confirm("pay-1", FULL, at(9), PAYMENT)
    booking.confirm("pay-1", FULL, at(10), PAYMENT)

    payment = booking.payments["pay-1"]
    assert (payment.status, payment.recorded_at, payment.taken_at) == (PaymentStatus.TAKEN, at(8), at(9))
    assert (payment.refund_reason, payment.refund_status) == (RefundReason.LATE_PAYMENT, RefundStatus.REQUESTED)
    assert payment.refund_requested_at == at(9)
    assert refunds(booking) == [("pay-1", "LATE_PAYMENT")]
    assert [(e.trigger, e.payment_id, e.note) for e in booking.new_history] == [
        (Trigger.PAYMENT_SUCCESS, "pay-1", "LATE_PAYMENT")
    ]


@pytest.mark.parametrize("paid", [usd("1.00"), Money(amount=Decimal("150.00"), currency="EUR")])
def test_late_comes_before_duplicate_and_mismatch(paid: Money) -> None:
    late, duplicate = _late(), confirmed()
    late.confirm("pay-2", paid, at(12), PAYMENT)
    duplicate.confirm("pay-2", paid, at(12), PAYMENT)

    assert refunds(late) == [("pay-2", "LATE_PAYMENT")]
    assert refunds(duplicate) == [("pay-2", "DUPLICATE_PAYMENT")]
    assert (duplicate.confirmed_by, duplicate.confirmed_at) == ("pay-1", at(8))


def test_a_refund_sends_back_what_came_not_what_was_due() -> None:
    booking = pending()
    booking.confirm("pay-1", Money(amount=Decimal("15000"), currency="JPY"), at(8), PAYMENT)

    payload = payload_of(booking.new_events[-1])
    assert (payload["amount"], payload["currency"]) == (Decimal("15000"), "JPY")
    assert str(payload["amount"]) == "15000"


def test_after_a_mismatch_another_payment_can_still_confirm() -> None:
    booking = _mismatched()
    booking.confirm("pay-2", FULL, at(9), PAYMENT)
    booking.confirm("pay-3", FULL, at(10), PAYMENT)
    booking = loaded(booking)

    assert (booking.status, booking.confirmed_by) == (Status.CONFIRMED, "pay-2")
    booking.cancel(at(20), STARTS_AT, AGAIN)
    assert refunds(booking) == [("pay-2", "USER_CANCELLED")]
    assert [each.correlation_id for each in booking.new_events] == ["corr-cancel", "corr-cancel"]


def test_cancelling_the_event_asks_back_each_payment_that_was_not_asked_back_before() -> None:
    booking = _mismatched()
    booking.confirm("pay-2", FULL, at(9), PAYMENT)
    booking.confirm("pay-3", FULL, at(10), PAYMENT)
    booking = loaded(booking)

    assert booking.cancel_for_event(at(20), ADMIN) is True
    assert [event_type_of(each) for each in booking.new_events] == ["booking.refund_requested"]
    assert refunds(booking) == [("pay-2", "EVENT_CANCELLED")]
    (entry,) = booking.new_history
    assert (entry.actor_id, entry.correlation_id, entry.from_status) == ("auth0|root", "corr-admin", Status.CONFIRMED)


def test_cancelling_the_event_asks_nothing_back_that_never_arrived() -> None:
    booking = processing()
    assert booking.cancel_for_event(at(8), ADMIN) is True

    assert booking.new_events == []
    assert booking.payments["pay-1"].refund_reason is None


def test_a_customer_who_cancels_twice_has_cancelled_once() -> None:
    booking = confirmed()
    booking.cancel(at(20), STARTS_AT, AGAIN)
    booking.cancel(STARTS_AT, STARTS_AT, AGAIN)

    assert (booking.cancelled_at, len(booking.new_events), len(booking.new_history)) == (at(20), 2, 1)
    assert (booking.confirmed_at, booking.confirmed_by) == (at(8), "pay-1")


@pytest.mark.parametrize(
    ("answers", "effects", "final"),
    [
        ("COMPLETED", [True], "COMPLETED"),
        ("FAILED", [True], "FAILED"),
        ("FAILED COMPLETED", [True, True], "COMPLETED"),
        ("FAILED FAILED", [True, False], "FAILED"),
        ("COMPLETED FAILED", [True, False], "COMPLETED"),
        ("COMPLETED COMPLETED", [True, False], "COMPLETED"),
        ("FAILED COMPLETED FAILED", [True, True, False], "COMPLETED"),
    ],
)
def test_a_completed_refund_is_final_and_a_failed_one_may_complete(
    answers: str, effects: list[bool], final: str
) -> None:
    booking, changed = _late(), []
    for minute, answer in enumerate(answers.split(), 20):
        changed.append(booking.answer_refund("pay-1", RefundStatus[answer], "", at(minute), PAYMENT))

    assert changed == effects
    assert booking.payments["pay-1"].refund_status is RefundStatus[final]
    assert booking.payments["pay-1"].refund_answered_at == at(20 + (effects.count(True) - 1))
    assert (booking.new_events, len(booking.new_history)) == ([], effects.count(True))


def test_the_answer_to_a_refund_is_kept_with_its_reason() -> None:
    booking = _late()
    booking.answer_refund("pay-1", RefundStatus.FAILED, "account closed", at(20), PAYMENT)
    booking.answer_refund("pay-1", RefundStatus.COMPLETED, "", at(21), PAYMENT)

    assert [(e.trigger, e.payment_id, e.note, e.at) for e in booking.new_history] == [
        (Trigger.REFUND_ANSWERED, "pay-1", "FAILED: account closed", at(20)),
        (Trigger.REFUND_ANSWERED, "pay-1", "COMPLETED", at(21)),
    ]
    assert {(e.from_status, e.to_status) for e in booking.new_history} == {(Status.CANCELLED, Status.CANCELLED)}


@pytest.mark.parametrize("payment_id", ["pay-1", "unknown"])
def test_an_answer_to_a_refund_that_was_never_asked_changes_nothing(payment_id: str) -> None:
    booking = confirmed()

    assert booking.answer_refund(payment_id, RefundStatus.COMPLETED, "", at(20), PAYMENT) is False
    assert (booking.new_history, booking.payments["pay-1"].refund_status) == ([], None)


def test_a_refund_that_failed_does_not_become_requested_again() -> None:
    booking = _late()
    booking.answer_refund("pay-1", RefundStatus.FAILED, "", at(20), PAYMENT)

    assert booking.answer_refund("pay-1", RefundStatus.REQUESTED, "", at(21), PAYMENT) is False
