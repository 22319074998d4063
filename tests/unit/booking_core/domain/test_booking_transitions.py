"""Every state × every trigger, against the design's table of the lifecycle, copied here by hand and not from the code.

The last two columns are the events (`booking.` left out, a refund with its reason) and the history entries that this
one trigger adds. `-` is nothing, `!` a refusal with its code.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import Any, Final

import pytest
from attrs import frozen

from booking_core.domain.booking import Booking
from booking_core.domain.errors import BookingNotCancellable, PaymentInProgress
from booking_core.domain.events import BookingEvent
from booking_core.domain.payments import RefundStatus
from booking_core.domain.values import CancellationReason, Money
from booking_core.messages.envelopes import event_type_of, payload_of
from tests.support.builders import (
    ADMIN,
    AGAIN,
    EXPIRY_JOB,
    MICROSECOND,
    PAYMENT,
    SEAT_IDS,
    TERMS,
    USER,
    at,
    cancelled,
    confirmed,
    pending,
    processing,
    usd,
)

DESIGN: Final = """
PENDING    | payment.processing    | PROCESSING                | -                               | PAYMENT_PROCESSING
PENDING    | payment.success       | CONFIRMED                 | confirmed                       | PAYMENT_SUCCESS
PENDING    | other amount          | PENDING                   | refund/AMOUNT_MISMATCH          | PAYMENT_SUCCESS
PENDING    | other currency        | PENDING                   | refund/AMOUNT_MISMATCH          | PAYMENT_SUCCESS
PENDING    | payment.failed        | CANCELLED/PAYMENT_FAILED  | cancelled                       | PAYMENT_FAILED
PENDING    | cancel, 24 h and 1 us | CANCELLED/USER_CANCELLED  | cancelled                       | CUSTOMER_CANCELS
PENDING    | cancel, 24 h          | CANCELLED/USER_CANCELLED  | cancelled                       | CUSTOMER_CANCELS
PENDING    | cancel, 1 us          | CANCELLED/USER_CANCELLED  | cancelled                       | CUSTOMER_CANCELS
PENDING    | cancel, has started   | CANCELLED/USER_CANCELLED  | cancelled                       | CUSTOMER_CANCELS
PENDING    | time                  | PENDING                   | -                               | -
PENDING    | event cancelled       | CANCELLED/EVENT_CANCELLED | -                               | EVENT_CANCELLED
PENDING    | refund answered       | PENDING                   | -                               | -
PROCESSING | payment.processing    | PROCESSING                | -                               | -
PROCESSING | payment.success       | CONFIRMED                 | confirmed                       | PAYMENT_SUCCESS
PROCESSING | other amount          | PROCESSING                | refund/AMOUNT_MISMATCH          | PAYMENT_SUCCESS
PROCESSING | other currency        | PROCESSING                | refund/AMOUNT_MISMATCH          | PAYMENT_SUCCESS
PROCESSING | payment.failed        | CANCELLED/PAYMENT_FAILED  | cancelled                       | PAYMENT_FAILED
PROCESSING | cancel, 24 h and 1 us | ! PAYMENT_IN_PROGRESS     | -                               | -
PROCESSING | cancel, 24 h          | ! PAYMENT_IN_PROGRESS     | -                               | -
PROCESSING | cancel, 1 us          | ! PAYMENT_IN_PROGRESS     | -                               | -
PROCESSING | cancel, has started   | ! PAYMENT_IN_PROGRESS     | -                               | -
PROCESSING | time                  | PROCESSING                | -                               | -
PROCESSING | event cancelled       | CANCELLED/EVENT_CANCELLED | -                               | EVENT_CANCELLED
PROCESSING | refund answered       | PROCESSING                | -                               | -
CONFIRMED  | payment.processing    | CONFIRMED                 | -                               | -
CONFIRMED  | payment.success       | CONFIRMED                 | refund/DUPLICATE_PAYMENT        | PAYMENT_SUCCESS
CONFIRMED  | other amount          | CONFIRMED                 | refund/DUPLICATE_PAYMENT        | PAYMENT_SUCCESS
CONFIRMED  | other currency        | CONFIRMED                 | refund/DUPLICATE_PAYMENT        | PAYMENT_SUCCESS
CONFIRMED  | payment.failed        | CONFIRMED                 | -                               | -
CONFIRMED  | cancel, 24 h and 1 us | CANCELLED/USER_CANCELLED  | cancelled refund/USER_CANCELLED | CUSTOMER_CANCELS
CONFIRMED  | cancel, 24 h          | CANCELLED/USER_CANCELLED  | cancelled                       | CUSTOMER_CANCELS
CONFIRMED  | cancel, 1 us          | CANCELLED/USER_CANCELLED  | cancelled                       | CUSTOMER_CANCELS
CONFIRMED  | cancel, has started   | ! BOOKING_NOT_CANCELLABLE | -                               | -
CONFIRMED  | time                  | CONFIRMED                 | -                               | -
CONFIRMED  | event cancelled       | CANCELLED/EVENT_CANCELLED | refund/EVENT_CANCELLED          | EVENT_CANCELLED
CONFIRMED  | refund answered       | CONFIRMED                 | -                               | -
"""

# An overdue hold is settled first, whatever it meets; an ended booking is not moved by anything.
ENDED: Final = """
payment.processing    | -                   | -
payment.success       | refund/LATE_PAYMENT | PAYMENT_SUCCESS
other amount          | refund/LATE_PAYMENT | PAYMENT_SUCCESS
other currency        | refund/LATE_PAYMENT | PAYMENT_SUCCESS
payment.failed        | -                   | -
cancel, 24 h and 1 us | refused             | -
cancel, 24 h          | refused             | -
cancel, 1 us          | refused             | -
cancel, has started   | refused             | -
time                  | -                   | -
event cancelled       | -                   | -
refund answered       | -                   | -
"""


def _cancel(ahead: timedelta) -> Callable[[Booking, datetime], object]:
    return lambda booking, now: booking.cancel(now, now + ahead, AGAIN)


def _pay(paid: Money) -> Callable[[Booking, datetime], object]:
    return lambda booking, now: booking.confirm("pay-2", paid, now, PAYMENT)


TRIGGERS: Final[dict[str, Callable[[Booking, datetime], object]]] = {
    "payment.processing": lambda booking, now: booking.start_payment("pay-2", now, TERMS, PAYMENT),
    "payment.success": _pay(usd("150.00")),
    "other amount": _pay(usd("149.99")),
    "other currency": _pay(Money(amount=Decimal("150.00"), currency="EUR")),
    "payment.failed": lambda booking, now: booking.fail_payment("pay-2", "card declined", now, PAYMENT),
    "cancel, 24 h and 1 us": _cancel(timedelta(hours=24) + MICROSECOND),
    "cancel, 24 h": _cancel(timedelta(hours=24)),
    "cancel, 1 us": _cancel(MICROSECOND),
    "cancel, has started": _cancel(timedelta(0)),
    "time": lambda booking, now: booking.expire(now, EXPIRY_JOB),
    "event cancelled": lambda booking, now: booking.cancel_for_event(now, ADMIN),
    "refund answered": lambda booking, now: booking.answer_refund("pay-1", RefundStatus.COMPLETED, "", now, PAYMENT),
}
PAID: Final = {
    "payment.success": ("150.00", "USD"),
    "other amount": ("149.99", "USD"),
    "other currency": ("150.00", "EUR"),
}
"""What pay-2 brings; any other trigger can only send back what pay-1 brought."""

IN_TIME: Final = {"PENDING": pending, "PROCESSING": processing, "CONFIRMED": confirmed}
OVERDUE: Final = {"PENDING": (pending, at(10)), "PROCESSING": (processing, at(12))}


@frozen(kw_only=True)
class Expected:
    status: str
    refused: str
    says: list[str]
    history: list[str]


def _words(cell: str) -> list[str]:
    return [] if cell in ("-", "refused") else cell.split()


def _rows(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()]


def _expected(state: str, status: str, says: str, history: str) -> Expected:
    refused = status.removeprefix("! ") if status.startswith("!") else ""
    return Expected(status=state if refused else status, refused=refused, says=_words(says), history=_words(history))


LIVE_CASES: Final = {(row[0], row[1]): _expected(row[0], *row[2:]) for row in _rows(DESIGN)}
ENDED_CASES: Final = {row[0]: row[1:] for row in _rows(ENDED)}


def _payload(word: str, booking: Booking, trigger: str, now: datetime) -> dict[str, Any]:
    who = {"bookingId": str(booking.booking_id), "userId": USER}
    kind, _, reason = word.partition("/")
    if kind == "refund":
        amount, currency = PAID.get(trigger, ("150.00", "USD"))
        payment_id = "pay-2" if trigger in PAID else "pay-1"
        return who | {"paymentId": payment_id, "amount": Decimal(amount), "currency": currency, "reason": reason}
    if kind == "confirmed":
        return who | {"ticketReference": booking.ticket_reference, "confirmedAt": f"{now:%Y-%m-%dT%H:%M:%SZ}"}
    assert booking.cancellation_reason is not None
    return who | {"reason": booking.cancellation_reason.value, "releasedSeatIds": [str(each) for each in SEAT_IDS]}


def _act(booking: Booking, trigger: str, now: datetime) -> str:
    try:
        TRIGGERS[trigger](booking, now)
    except (PaymentInProgress, BookingNotCancellable) as refusal:
        return refusal.code
    return ""


def _check_events(booking: Booking, first: int, says: list[str], trigger: str, now: datetime) -> None:
    said: list[BookingEvent] = booking.new_events
    types = ["booking." + word.split("/")[0].replace("refund", "refund_requested") for word in says]
    assert [event_type_of(each) for each in said] == types
    assert [payload_of(each) for each in said] == [_payload(word, booking, trigger, now) for word in says]
    assert [each.sequence for each in said] == list(range(first, first + len(said)))
    assert booking.sequence == first + len(said) - 1
    assert {each.timestamp for each in said} <= {now}


@pytest.mark.parametrize(("state", "trigger"), list(product(IN_TIME, TRIGGERS)))
def test_a_live_booking_in_time(state: str, trigger: str) -> None:
    booking, expected = IN_TIME[state](), LIVE_CASES[state, trigger]
    now, revision, sequence = at(9), booking.revision, booking.sequence
    deadline = {"PENDING": at(10), "PROCESSING": at(12), "CONFIRMED": None}[state]

    assert _act(booking, trigger, now) == expected.refused

    status, _, reason = expected.status.partition("/")
    assert booking.status.value == status
    assert (booking.cancellation_reason.value if booking.cancellation_reason else "") == reason
    assert booking.cancelled_at == (now if reason else None)
    _check_events(booking, sequence + 1, expected.says, trigger, now)
    assert [(e.trigger.value, e.from_status, e.to_status) for e in booking.new_history] == [
        (name, IN_TIME[state]().status, booking.status) for name in expected.history
    ]
    assert [e.number for e in booking.new_history] == [revision + 1 + n for n in range(len(expected.history))]
    assert booking.revision == revision + len(expected.history)
    # Pay-2 in PENDING begins at 9 and has until 14; a state that stays keeps its deadline.
    moved = {"PROCESSING": at(14)}.get(status) if status != state else deadline
    assert booking.deadline == moved


# A refund's answer for a payment that was never taken changes nothing; test_booking_settling has the other answers.
@pytest.mark.parametrize(("state", "trigger"), list(product(OVERDUE, sorted(TRIGGERS.keys() - {"refund answered"}))))
def test_an_overdue_hold_is_settled_before_anything_else(state: str, trigger: str) -> None:
    (build, deadline), (says, history) = OVERDUE[state], ENDED_CASES[trigger]
    booking, now = build(), deadline + timedelta(hours=1)
    sequence, revision = booking.sequence, booking.revision

    assert _act(booking, trigger, now) == ("BOOKING_NOT_CANCELLABLE" if says == "refused" else "")

    assert (booking.status.value, booking.cancellation_reason) == ("CANCELLED", CancellationReason.EXPIRED)
    assert (booking.cancelled_at, booking.deadline) == (deadline, None)
    settled = ["expired", "cancelled"]
    _check_events(booking, sequence + 1, settled + _words(says), trigger, now)
    assert [e.trigger.value for e in booking.new_history] == ["TIME", *_words(history)]
    assert [e.number for e in booking.new_history] == list(range(revision + 1, booking.revision + 1))
    assert (booking.new_history[0].from_status, booking.new_history[0].at) == (build().status, now)


@pytest.mark.parametrize(("reason", "trigger"), list(product(CancellationReason, TRIGGERS)))
def test_cancelled_is_terminal(reason: CancellationReason, trigger: str) -> None:
    booking, (says, history) = cancelled(reason), ENDED_CASES[trigger]
    ended_at, now, sequence, revision = booking.cancelled_at, at(30), booking.sequence, booking.revision
    again = reason is CancellationReason.USER_CANCELLED

    assert _act(booking, trigger, now) == ("BOOKING_NOT_CANCELLABLE" if says == "refused" and not again else "")

    assert (booking.status.value, booking.cancellation_reason, booking.cancelled_at) == ("CANCELLED", reason, ended_at)
    assert (booking.deadline, booking.confirmed_at, booking.ticket_reference) == (None, None, None)
    _check_events(booking, sequence + 1, _words(says), trigger, now)
    assert [(e.trigger.value, e.from_status, e.to_status) for e in booking.new_history] == [
        (name, booking.status, booking.status) for name in _words(history)
    ]
    assert booking.revision == revision + len(_words(history))


def test_the_copied_table_leaves_no_pair_out() -> None:
    assert set(LIVE_CASES) == set(product(IN_TIME, TRIGGERS))
    assert set(ENDED_CASES) == set(TRIGGERS)
