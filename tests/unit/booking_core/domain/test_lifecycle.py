"""The one table of transitions is whole, every case of it is executed, and the documentation shows it as it is."""

import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from booking_core.domain.booking import Booking
from booking_core.domain.errors import BookingNotCancellable, PaymentInProgress, Refusal
from booking_core.domain.events import RefundRequested
from booking_core.domain.lifecycle import LIVE, ON_HOLD, TRANSITIONS, Becomes, Outcome, Status, Stays, Trigger
from booking_core.domain.payments import RefundStatus
from booking_core.domain.policies import otherwise
from booking_core.domain.values import CancellationReason, RefundChoice, RefundReason
from tests.support.builders import (
    ADMIN,
    AGAIN,
    EXPIRY_JOB,
    PAYMENT,
    STARTS_AT,
    TERMS,
    at,
    cancelled,
    confirmed,
    just_reserved,
    loaded,
    outcomes_in,
    pending,
    processing,
    usd,
)

DOCS = Path(__file__).parents[4] / "docs"
CELLS = [(status, trigger, cell) for status, row in TRANSITIONS.items() for trigger, cell in row.items()]
MOVES = [
    (status, trigger, outcome)
    for status, trigger, cell in CELLS
    for outcome in outcomes_in(cell)
    if isinstance(outcome, Becomes)
]


def test_every_status_has_an_outcome_for_every_trigger() -> None:
    assert set(TRANSITIONS) == {None, *Status}
    assert set(TRANSITIONS[None]) == {Trigger.RESERVE}
    for status in Status:
        assert set(TRANSITIONS[status]) == set(Trigger) - {Trigger.RESERVE}


def test_the_last_of_several_cases_always_decides() -> None:
    for _, _, cell in CELLS:
        if isinstance(cell, tuple):
            guards = [guard for guard, _ in cell]
            assert len(guards) > 1
            assert guards.index(otherwise) == len(guards) - 1


def test_cancelled_leads_nowhere_and_only_holds_end_by_time() -> None:
    assert [trigger for status, trigger, _ in MOVES if status is Status.CANCELLED] == []
    assert {status for status, trigger, _ in MOVES if trigger is Trigger.EXPIRY} == ON_HOLD
    assert {Status.PENDING, Status.PROCESSING} == ON_HOLD
    assert {Status.PENDING, Status.PROCESSING, Status.CONFIRMED} == LIVE


def test_every_end_has_its_reason_and_nothing_else_has_one() -> None:
    for _, _, outcome in MOVES:
        assert (outcome.reason is not None) == (outcome.to is Status.CANCELLED)
    assert {outcome.reason for _, _, outcome in MOVES} - {None} == set(CancellationReason)


def test_only_holds_have_a_deadline() -> None:
    for _, _, outcome in MOVES:
        assert (outcome.until is not None) == (outcome.to in ON_HOLD)


def test_the_table_refuses_with_two_errors_and_only_people() -> None:
    refusals = {
        (trigger, outcome) for _, trigger, cell in CELLS for outcome in outcomes_in(cell) if isinstance(outcome, type)
    }

    assert refusals == {
        (trigger, refusal)
        for trigger in (Trigger.CUSTOMER_CANCELS, Trigger.OPERATOR_CANCELS, Trigger.OPERATOR_RELEASES)
        for refusal in (PaymentInProgress, BookingNotCancellable)
    }


def test_money_that_arrives_is_never_without_an_answer() -> None:
    reasons = set()
    for status in Status:
        already_taken, *others = outcomes_in(TRANSITIONS[status][Trigger.PAYMENT_SUCCESS])
        assert already_taken is None
        for outcome in others:
            assert isinstance(outcome, Becomes | Stays)
            assert (outcome.refund is None) == isinstance(outcome, Becomes)
            reasons |= {outcome.refund.reason} if outcome.refund else set()

    assert reasons == {RefundReason.AMOUNT_MISMATCH, RefundReason.DUPLICATE_PAYMENT, RefundReason.LATE_PAYMENT}


def test_the_table_cannot_be_changed_by_accident() -> None:
    with pytest.raises(TypeError):
        TRANSITIONS[Status.CANCELLED] = {}  # type: ignore[index]


def test_the_rows_of_the_table_cannot_be_changed_either() -> None:
    row = TRANSITIONS[Status.CANCELLED]
    with pytest.raises(TypeError):
        row[Trigger.EXPIRY] = row[Trigger.EXPIRY]  # type: ignore[index]


# -- every case of the table, executed -----------------------------------------------------------------------------


def _after_mismatch(build: Callable[[], Booking]) -> Callable[[], Booking]:
    """The booking, with a payment pay-9 that was taken and refunded."""

    def built() -> Booking:
        booking = build()
        booking.confirm("pay-9", usd("1.00"), at(8.5), PAYMENT)
        return loaded(booking)

    return built


BUILT: Final[dict[Status, Callable[[], Booking]]] = {
    Status.PENDING: _after_mismatch(pending),
    Status.PROCESSING: _after_mismatch(processing),
    Status.CONFIRMED: _after_mismatch(confirmed),
    Status.CANCELLED: _after_mismatch(lambda: cancelled(CancellationReason.PAYMENT_FAILED)),
}
NOW, LATE = at(9), at(60)
FULL: Final = RefundChoice.FULL
Act = Callable[[Booking], object]
EXAMPLES: Final[dict[tuple[Trigger, str], Act]] = {
    (Trigger.PAYMENT_PROCESSING, ""): lambda booking: booking.start_payment("pay-2", NOW, TERMS, PAYMENT),
    (Trigger.PAYMENT_PROCESSING, "payment_was_taken"): lambda b: b.start_payment("pay-9", NOW, TERMS, PAYMENT),
    (Trigger.PAYMENT_PROCESSING, "otherwise"): lambda b: b.start_payment("pay-2", NOW, TERMS, PAYMENT),
    (Trigger.PAYMENT_SUCCESS, "payment_was_taken"): lambda b: b.confirm("pay-9", usd("150.00"), NOW, PAYMENT),
    (Trigger.PAYMENT_SUCCESS, "amount_differs"): lambda b: b.confirm("pay-2", usd("2.00"), NOW, PAYMENT),
    (Trigger.PAYMENT_SUCCESS, "otherwise"): lambda b: b.confirm("pay-2", usd("150.00"), NOW, PAYMENT),
    (Trigger.PAYMENT_FAILED, ""): lambda b: b.fail_payment("pay-2", "no money", NOW, PAYMENT),
    (Trigger.PAYMENT_FAILED, "payment_was_taken"): lambda b: b.fail_payment("pay-9", "no money", NOW, PAYMENT),
    (Trigger.PAYMENT_FAILED, "otherwise"): lambda b: b.fail_payment("pay-2", "no money", NOW, PAYMENT),
    (Trigger.CUSTOMER_CANCELS, ""): lambda b: b.cancel(NOW, STARTS_AT, AGAIN),
    (Trigger.CUSTOMER_CANCELS, "event_has_started"): lambda b: b.cancel(NOW, None, AGAIN),
    (Trigger.CUSTOMER_CANCELS, "br_04_full_refund"): lambda b: b.cancel(NOW, STARTS_AT, AGAIN),
    (Trigger.CUSTOMER_CANCELS, "customer_cancelled_before"): lambda b: b.cancel(LATE, STARTS_AT, AGAIN),
    (Trigger.CUSTOMER_CANCELS, "otherwise"): lambda b: b.cancel(STARTS_AT - (at(60) - at(0)), STARTS_AT, AGAIN),
    (Trigger.OPERATOR_CANCELS, ""): lambda b: b.cancel_by_operator(NOW, STARTS_AT, FULL, "fraud", ADMIN),
    (Trigger.OPERATOR_CANCELS, "operator_refunds"): lambda b: b.cancel_by_operator(NOW, None, FULL, "fraud", ADMIN),
    (Trigger.OPERATOR_CANCELS, "customer_cancelled_before"): lambda b: b.cancel_by_operator(
        LATE, STARTS_AT, FULL, "fraud", ADMIN
    ),
    (Trigger.OPERATOR_CANCELS, "otherwise"): lambda b: b.cancel_by_operator(
        NOW, STARTS_AT, RefundChoice.NONE, "fraud", ADMIN
    ),
    (Trigger.OPERATOR_RELEASES, ""): lambda b: b.release(NOW, "called", ADMIN),
    (Trigger.OPERATOR_RELEASES, "customer_cancelled_before"): lambda b: b.release(LATE, "called", ADMIN),
    (Trigger.OPERATOR_RELEASES, "otherwise"): lambda b: b.release(NOW, "called", ADMIN),
    (Trigger.EXPIRY, ""): lambda b: b.expire(LATE, EXPIRY_JOB),
    (Trigger.EXPIRY, "br_02_is_overdue"): lambda b: b.expire(LATE, EXPIRY_JOB),
    (Trigger.EXPIRY, "otherwise"): lambda b: b.expire(NOW, EXPIRY_JOB),
    (Trigger.EVENT_CANCELLED, ""): lambda b: b.cancel_for_event(NOW, ADMIN),
    (Trigger.REFUND_ANSWERED, "answer_is_new"): lambda b: b.answer_refund(
        "pay-9", RefundStatus.FAILED, "", NOW, PAYMENT
    ),
    (Trigger.REFUND_ANSWERED, "otherwise"): lambda b: b.answer_refund("pay-2", RefundStatus.FAILED, "", NOW, PAYMENT),
}
CASES: Final = [
    (status, trigger, guard, outcome)
    for status, trigger, cell in CELLS
    if status is not None
    for guard, outcome in (
        [(guard.__name__, outcome) for guard, outcome in cell] if isinstance(cell, tuple) else [("", cell)]
    )
]


@pytest.mark.parametrize(("status", "trigger", "guard", "outcome"), CASES)
def test_the_aggregate_does_what_the_case_says(status: Status, trigger: Trigger, guard: str, outcome: Outcome) -> None:
    booking = BUILT[status]()
    if guard == "customer_cancelled_before":
        booking = cancelled(CancellationReason.USER_CANCELLED)
    assert booking.status is status

    refused: type[Refusal] | None = None
    try:
        EXAMPLES[trigger, guard](booking)
    except Refusal as refusal:
        refused = type(refusal)

    assert refused is (outcome if isinstance(outcome, type) else None)
    becomes = outcome if isinstance(outcome, Becomes) else None
    assert booking.status is (becomes.to if becomes else status)
    assert len(booking.new_history) == isinstance(outcome, Becomes | Stays)
    refunds = [event.reason for event in booking.new_events if isinstance(event, RefundRequested)]
    published = tuple(type(event) for event in booking.new_events if not isinstance(event, RefundRequested))
    assert published == (becomes.publishes if becomes else ())
    if becomes:
        assert booking.cancellation_reason is becomes.reason
        assert (booking.deadline is not None) == (becomes.until is not None)
    if isinstance(outcome, Becomes | Stays) and outcome.refund and status is not Status.PENDING:
        # A hold has no payment that was taken and kept, so that the event's end refunds nothing.
        kept = status is Status.CONFIRMED or isinstance(outcome, Stays)
        assert refunds == [outcome.refund.reason] * kept
    elif isinstance(outcome, Stays) and outcome.refund:
        assert refunds == [outcome.refund.reason]
    else:
        assert refunds == []


def test_reserving_is_a_case_too() -> None:
    (entry,) = just_reserved().new_history

    assert (entry.trigger, entry.from_status, entry.to_status) == (Trigger.RESERVE, None, Status.PENDING)


# -- the page ------------------------------------------------------------------------------------------------------


def test_the_page_of_the_documentation_is_up_to_date() -> None:
    page = runpy.run_path(str(DOCS / "lifecycle_page.py"))["lifecycle_page"]()

    assert (DOCS / "lifecycle.md").read_text(encoding="utf-8") == page, (
        "docs/lifecycle.md no longer shows booking_core.domain.lifecycle; write it anew with:  "
        ".venv/bin/python docs/generate.py"
    )


def test_the_diagram_draws_every_move_once() -> None:
    page = (DOCS / "lifecycle.md").read_text(encoding="utf-8")
    lines = page.partition("```mermaid\n")[2].partition("\n```")[0].splitlines()

    assert (lines[0], lines[-1]) == ("stateDiagram-v2", "    CANCELLED --> [*]")
    arrow = re.compile(r"    (\S+) --> (\S+): ([A-Z_]+)(?: \[(?:.+)\])?(?: / (.+))?")
    drawn = [match.groups() for line in lines[1:-1] if (match := arrow.fullmatch(line))]
    assert len(drawn) == len(lines) - 2
    assert [move for move in drawn if move[0] != move[1]] == [
        (
            status.value if status else "[*]",
            outcome.to.value,
            trigger.value,
            outcome.reason.value if outcome.reason else None,
        )
        for status, trigger, outcome in MOVES
    ]


def test_the_page_has_a_row_for_every_status_and_trigger() -> None:
    page = (DOCS / "lifecycle.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([A-Z–]+) \| ([A-Z_]+) \| (.*?) \| (.+) \|$", page, flags=re.MULTILINE)

    assert list(dict.fromkeys(row[:2] for row in rows)) == [(s.value if s else "–", t.value) for s, t, _ in CELLS]
    shown = {row[:3]: row[3] for row in rows}
    assert len(shown) == len(rows) == sum(len(outcomes_in(cell)) for _, _, cell in CELLS)
    assert shown["PROCESSING", "CUSTOMER_CANCELS", ""] == "refused with `PAYMENT_IN_PROGRESS`"
    assert shown["CONFIRMED", "PAYMENT_SUCCESS", "otherwise"] == (
        "stays, `booking.refund_requested` for this payment (`DUPLICATE_PAYMENT`)"
    )
    assert shown["PENDING", "TIME", "BR-02 is overdue"] == (
        "**CANCELLED** (`EXPIRED`), `booking.expired`, `booking.cancelled`"
    )
    assert shown["CONFIRMED", "TIME", ""] == "nothing"
    assert shown["PENDING", "PAYMENT_SUCCESS", "amount differs"] == (
        "stays, `booking.refund_requested` for this payment (`AMOUNT_MISMATCH`)"
    )
