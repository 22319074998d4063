"""The one table of transitions is whole, and the documentation shows it as it is."""

import re
import runpy
from pathlib import Path

import pytest

from booking_core.domain.errors import BookingNotCancellable, PaymentInProgress
from booking_core.domain.lifecycle import (
    LIVE,
    ON_HOLD,
    TRANSITIONS,
    Moves,
    Refunds,
    Refuses,
    Status,
    Stays,
    Trigger,
    diagram,
)
from booking_core.domain.values import CancellationReason, RefundReason

DOCS = Path(__file__).parents[4] / "docs"
OUTSIDE_THE_TABLE = {Trigger.RESERVE, Trigger.REFUND_ANSWERED}
MOVES = [
    (status, trigger, outcome)
    for status, row in TRANSITIONS.items()
    for trigger, outcome in row.items()
    if isinstance(outcome, Moves)
]


def test_every_status_has_an_outcome_for_every_trigger() -> None:
    assert set(TRANSITIONS) == set(Status)
    for row in TRANSITIONS.values():
        assert set(row) == set(Trigger) - OUTSIDE_THE_TABLE


def test_cancelled_leads_nowhere_and_only_holds_end_by_time() -> None:
    assert [trigger for status, trigger, _ in MOVES if status is Status.CANCELLED] == []
    assert {status for status, trigger, _ in MOVES if trigger is Trigger.EXPIRY} == ON_HOLD
    assert {Status.PENDING, Status.PROCESSING} == ON_HOLD
    assert {Status.PENDING, Status.PROCESSING, Status.CONFIRMED} == LIVE


def test_every_end_has_its_reason_and_nothing_else_has_one() -> None:
    for _, _, outcome in MOVES:
        assert (outcome.reason is not None) == (outcome.to is Status.CANCELLED)
        assert (outcome.otherwise is not None) == bool(outcome.unless)
    assert {outcome.reason for _, _, outcome in MOVES} - {None} == set(CancellationReason)


def test_every_refusal_of_the_table_is_an_error_with_that_code() -> None:
    outcomes = [outcome for row in TRANSITIONS.values() for outcome in row.values()]
    outcomes += [outcome.otherwise for outcome in outcomes if isinstance(outcome, Moves) and outcome.otherwise]

    codes = {outcome.code for outcome in outcomes if isinstance(outcome, Refuses)}
    assert codes == {PaymentInProgress.code, BookingNotCancellable.code}


def test_money_that_arrives_is_never_without_an_answer() -> None:
    reasons = set()
    for row in TRANSITIONS.values():
        outcome = row[Trigger.PAYMENT_SUCCESS]
        assert not isinstance(outcome, Stays | Refuses)
        refund = outcome.otherwise if isinstance(outcome, Moves) else outcome
        assert isinstance(refund, Refunds)
        reasons.add(refund.reason)

    assert reasons == {RefundReason.AMOUNT_MISMATCH, RefundReason.DUPLICATE_PAYMENT, RefundReason.LATE_PAYMENT}


def test_the_table_cannot_be_changed_by_accident() -> None:
    with pytest.raises(TypeError):
        TRANSITIONS[Status.CANCELLED] = {}  # type: ignore[index]


def test_the_rows_of_the_table_cannot_be_changed_either() -> None:
    row = TRANSITIONS[Status.CANCELLED]
    with pytest.raises(TypeError):
        row[Trigger.EXPIRY] = row[Trigger.EXPIRY]  # type: ignore[index]


def test_the_diagram_draws_every_move_once() -> None:
    lines = diagram().splitlines()

    assert lines[:2] == ["stateDiagram-v2", "    [*] --> PENDING: RESERVE"]
    assert lines[-1] == "    CANCELLED --> [*]"
    drawn = [re.fullmatch(r"    ([A-Z]+) --> ([A-Z]+): ([A-Z_]+)(?: \(([A-Z_]+)\))?", line) for line in lines[2:-1]]
    assert [match.groups() if match else None for match in drawn] == [
        (status.value, outcome.to.value, trigger.value, outcome.reason.value if outcome.reason else None)
        for status, trigger, outcome in MOVES
    ]


def test_the_page_of_the_documentation_is_up_to_date() -> None:
    page = runpy.run_path(str(DOCS / "generate.py"))["lifecycle"]()

    assert (DOCS / "lifecycle.md").read_text(encoding="utf-8") == page, (
        "docs/lifecycle.md no longer shows booking_core.domain.lifecycle; write it anew with:  "
        ".venv/bin/python docs/generate.py"
    )


def test_the_page_has_a_row_for_every_status_and_trigger() -> None:
    page = (DOCS / "lifecycle.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([A-Z]+) \| ([A-Z_]+) \| (.+) \|$", page, flags=re.MULTILINE)

    assert [row[:2] for row in rows] == [(s.value, t.value) for s, row in TRANSITIONS.items() for t in row]
    shown = {row[:2]: row[2] for row in rows}
    assert shown["PROCESSING", "CUSTOMER_CANCELS"] == "refused with `PAYMENT_IN_PROGRESS`"
    assert shown["CONFIRMED", "PAYMENT_SUCCESS"] == "stays; the payment is asked back (`DUPLICATE_PAYMENT`)"
    assert shown["PENDING", "TIME"] == "**CANCELLED** (`EXPIRED`)"
    assert shown["CONFIRMED", "TIME"] == "nothing"
    assert shown["PENDING", "PAYMENT_SUCCESS"] == (
        "**CONFIRMED**; if amount or currency differ: stays; the payment is asked back (`AMOUNT_MISMATCH`)"
    )
    assert f"```mermaid\n{diagram()}```\n" in page
