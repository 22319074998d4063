"""Whatever happens to a booking, in whichever order: what stays true after every single step."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from booking_core.domain.booking import Booking
from booking_core.domain.errors import Refusal
from booking_core.domain.lifecycle import Status
from booking_core.domain.payments import RefundStatus
from booking_core.domain.values import CancellationReason, RefundReason
from booking_core.messages.envelopes import event_type_of, payload_of
from tests.support.builders import (
    ADMIN,
    AGAIN,
    EXPIRY_JOB,
    MICROSECOND,
    PAYMENT,
    TERMS,
    at,
    just_reserved,
    seats_priced,
    usd,
)

STARTS_AT: Final = at(60 * 25)
"""An hour more than a day ahead, so that a customer's cancelling falls on both sides of the 24 hours."""
TOTAL: Final = usd("150.00")


@frozen(kw_only=True)
class Step:
    """One verb at one moment."""

    verb: str
    payment_id: str
    amount: Decimal
    refund: RefundStatus
    after: timedelta


VERBS: Final[dict[str, Callable[[Booking, Step, datetime], object]]] = {
    "processing": lambda b, step, now: b.start_payment(step.payment_id, now, TERMS, PAYMENT),
    "success": lambda b, step, now: b.confirm(step.payment_id, usd(str(step.amount)), now, PAYMENT),
    "failed": lambda b, step, now: b.fail_payment(step.payment_id, "declined", now, PAYMENT),
    "refund": lambda b, step, now: b.answer_refund(step.payment_id, step.refund, "", now, PAYMENT),
    "cancel": lambda b, step, now: b.cancel(now, STARTS_AT, AGAIN),
    "time": lambda b, step, now: b.expire(now, EXPIRY_JOB),
    "event": lambda b, step, now: b.cancel_for_event(now, ADMIN),
}

# Moments that matter: nothing, a little, the window and the processing timeout to the microsecond, a day.
PAUSES: Final = [
    timedelta(0),
    MICROSECOND,
    timedelta(minutes=1),
    timedelta(minutes=5) - MICROSECOND,
    timedelta(minutes=5),
    timedelta(minutes=10) - MICROSECOND,
    timedelta(minutes=10),
    timedelta(hours=1),
]
STEPS: Final = st.lists(
    st.builds(
        Step,
        verb=st.sampled_from([*VERBS, "success", "success", "processing"]),
        payment_id=st.sampled_from(["pay-1", "pay-2", "pay-3"]),
        amount=st.sampled_from([Decimal("150.00"), Decimal("150.00"), Decimal("1.00")]),
        refund=st.sampled_from([RefundStatus.COMPLETED, RefundStatus.FAILED]),
        after=st.sampled_from(PAUSES),
    ),
    max_size=12,
)


class Story:
    """A booking and what was ever said and noted about it, step by step."""

    def __init__(self) -> None:
        self.booking = just_reserved()
        self.now = at(0)
        self.successes: set[str] = set()

    def act(self, step: Step) -> None:
        self.now += step.after
        with suppress(Refusal):
            VERBS[step.verb](self.booking, step, self.now)
        if step.verb == "success":
            self.successes.add(step.payment_id)

    @property
    def said(self) -> list[str]:
        return [event_type_of(each) for each in self.booking.new_events]


def told(steps: list[Step]) -> Story:
    story = Story()
    for step in steps:
        story.act(step)
    return story


@given(STEPS)
def test_numbers_have_no_gaps_and_times_never_go_back(steps: list[Step]) -> None:
    booking = told(steps).booking

    assert [each.sequence for each in booking.new_events] == list(range(1, booking.sequence + 1))
    assert [each.number for each in booking.new_history] == list(range(1, booking.revision + 1))
    assert booking.loaded_revision == 0
    times = [entry.at for entry in booking.new_history]
    assert times == sorted(times)
    assert len({each.message_id for each in booking.new_events}) == booking.sequence


@given(STEPS)
def test_the_history_tells_the_whole_way_of_the_status(steps: list[Step]) -> None:
    story = told(steps)
    walk = [(entry.from_status, entry.to_status) for entry in story.booking.new_history]

    assert walk[0] == (None, Status.PENDING)
    assert [before for before, _ in walk[1:]] == [after for _, after in walk[:-1]]
    assert walk[-1][1] is story.booking.status


@given(STEPS)
def test_cancelled_stays_cancelled_for_the_same_reason_at_the_same_time(steps: list[Step]) -> None:
    story, ends = Story(), set()
    for step in steps:
        story.act(step)
        if story.booking.status is Status.CANCELLED:
            ends.add((story.booking.cancellation_reason, story.booking.cancelled_at))
        else:
            assert not ends
            assert (story.booking.cancellation_reason, story.booking.cancelled_at) == (None, None)

    assert len(ends) <= 1


@given(STEPS)
def test_every_payment_that_succeeded_is_kept_or_asked_back_exactly_once(steps: list[Step]) -> None:
    story = told(steps)
    booking = story.booking
    asked = Counter(
        payload_of(e)["paymentId"] for e in booking.new_events if event_type_of(e) == "booking.refund_requested"
    )

    assert {key for key, payment in booking.payments.items() if payment.is_taken} == story.successes
    assert set(asked.values()) <= {1}
    assert set(asked) == {key for key, payment in booking.payments.items() if payment.refund_reason}
    not_asked = story.successes - set(asked)
    # Only the payment that confirmed it may be kept: by a live booking, or after a cancellation too close to the start.
    assert not_asked <= {booking.confirmed_by}
    if booking.status is Status.CONFIRMED:
        assert not_asked == {booking.confirmed_by}


@given(STEPS)
def test_what_was_said_fits_what_the_booking_is(steps: list[Step]) -> None:
    story = told(steps)
    booking, said = story.booking, Counter(story.said)

    assert story.said[0] == "booking.created"
    assert said["booking.confirmed"] == (1 if booking.confirmed_at else 0)
    assert (booking.ticket_reference is None) == (booking.confirmed_at is None) == (booking.confirmed_by is None)
    ended_aloud = booking.cancellation_reason not in (None, CancellationReason.EVENT_CANCELLED)
    assert said["booking.cancelled"] == (1 if ended_aloud else 0)
    assert said["booking.expired"] == (1 if booking.cancellation_reason is CancellationReason.EXPIRED else 0)
    assert booking.is_live == (booking.status is not Status.CANCELLED)
    assert (booking.deadline is not None) == (booking.status in (Status.PENDING, Status.PROCESSING))


@given(STEPS)
def test_a_refund_for_the_start_being_far_is_never_asked_within_24_hours(steps: list[Step]) -> None:
    for payment in told(steps).booking.payments.values():
        if payment.refund_reason is RefundReason.USER_CANCELLED:
            assert payment.refund_requested_at is not None
            assert STARTS_AT - payment.refund_requested_at > timedelta(hours=24)


@given(STEPS, st.sampled_from(PAUSES))
def test_reading_never_changes_a_booking_and_agrees_with_settling_it(steps: list[Step], later: timedelta) -> None:
    story = told(steps)
    booking, now = story.booking, story.now + later
    before = repr(booking)
    seen = booking.as_of(now)
    assert repr(booking) == before

    booking.expire(now, EXPIRY_JOB)
    assert (seen.status, seen.cancellation_reason, seen.cancelled_at, seen.deadline, seen.payments) == (
        booking.status,
        booking.cancellation_reason,
        booking.cancelled_at,
        booking.deadline,
        booking.payments,
    )


@given(STEPS)
def test_an_expired_booking_ended_at_its_deadline_whoever_settled_it(steps: list[Step]) -> None:
    story = Story()
    deadline = story.booking.deadline
    for step in steps:
        if story.booking.deadline is not None:
            deadline = story.booking.deadline
        story.act(step)

    booking = story.booking
    if booking.cancellation_reason is CancellationReason.EXPIRED:
        started = booking.processing_started_at
        assert booking.cancelled_at == deadline
        assert deadline == max(booking.expires_at, started + timedelta(minutes=5) if started else booking.expires_at)
        assert deadline <= story.now


@given(STEPS, st.data())
def test_hearing_a_payment_again_changes_nothing(steps: list[Step], data: st.DataObject) -> None:
    story = told(steps)
    if not story.successes:
        return
    again = data.draw(st.sampled_from(sorted(story.successes)))
    story.booking.expire(story.now, EXPIRY_JOB)
    before = repr(story.booking)
    for verb in ("success", "failed", "processing"):
        repeated = Step(
            verb=verb, payment_id=again, amount=Decimal("9.99"), refund=RefundStatus.FAILED, after=timedelta(0)
        )
        story.act(repeated)

    assert repr(story.booking) == before


PRICES: Final = st.lists(st.decimals(0, 10**9, places=2, allow_nan=False), min_size=1, max_size=10)


@given(PRICES, STEPS)
def test_the_total_is_the_sum_of_the_seats_for_ever(prices: list[Decimal], steps: list[Step]) -> None:
    booking = just_reserved(seats_priced(*prices))
    for step in steps:
        with suppress(Refusal):
            VERBS[step.verb](booking, step, at(1))

    assert booking.total.amount == sum(prices)
    assert booking.total.currency == "USD"
    assert [seat.price for seat in booking.seats] == prices
    assert payload_of(booking.new_events[0])["totalAmount"] == sum(prices)
