"""From bytes to commands: what is understood, what is skipped, and what can never be."""

import json
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking_core.domain.commands import (
    AnswerRefund,
    ConfirmPayment,
    FailPayment,
    PaymentMessage,
    StartPayment,
)
from booking_core.domain.errors import MalformedMessage
from booking_core.domain.payments import RefundStatus
from booking_core.domain.values import MAX_REASON
from booking_core.messages.payment_messages import MAX_BYTES, Skipped, parse

MESSAGE = "0190a5b0-0000-7000-8000-0000000000aa"
BOOKING = "0190a5b0-0000-7000-8000-0000000000bb"
COMMON: dict[str, Any] = {
    "message_id": UUID(MESSAGE),
    "booking_id": UUID(BOOKING),
    "payment_id": "pay-1",
    "correlation_id": "c-1",
}


def envelope(event_type: str = "payment.success", **changes: Any) -> dict[str, Any]:
    return {
        "eventId": MESSAGE,
        "eventType": event_type,
        "timestamp": "2026-07-01T12:00:00Z",
        "version": "1.0",
        "correlationId": "c-1",
        "payload": payload(),
        **changes,
    }


def payload(**changes: Any) -> dict[str, Any]:
    return {"bookingId": BOOKING, "paymentId": "pay-1", "amount": 150.5, "currency": "USD", **changes}


def message(event_type: str = "payment.success", **changes: Any) -> bytes:
    return json.dumps(envelope(event_type, **changes)).encode()


def with_amount(written: str) -> bytes:
    return message().replace(b"150.5", written.encode())


@pytest.mark.parametrize(
    ("value", "command"),
    [
        (message("payment.processing"), StartPayment(**COMMON)),
        (message(), ConfirmPayment(**COMMON, amount=Decimal("150.5"), currency="USD")),
        (message("payment.failed"), FailPayment(**COMMON)),
        (message("payment.failed", payload=payload(reason="no money")), FailPayment(**COMMON, reason="no money")),
        (message("payment.failed", payload=payload(reason=None)), FailPayment(**COMMON)),
        (message("refund.completed"), AnswerRefund(**COMMON, status=RefundStatus.COMPLETED)),
        (
            message("refund.failed", payload=payload(reason="closed")),
            AnswerRefund(**COMMON, status=RefundStatus.FAILED, reason="closed"),
        ),
    ],
)
def test_every_type_becomes_its_command(value: bytes, command: PaymentMessage) -> None:
    assert parse(value) == command


@pytest.mark.parametrize("version", ["1.0", "1.7", "1.23"])
def test_later_versions_of_the_same_major_and_unknown_fields_are_fine(version: str) -> None:
    value = message(version=version, colour={"a": [1]}, payload=payload(colour="blue", huge=1e300))

    assert parse(value) == parse(message())


@pytest.mark.parametrize("event_type", ["booking.created", "payments.success", "x"])
def test_other_types_are_skipped_whatever_else_they_say(event_type: str) -> None:
    assert parse(json.dumps({"eventType": event_type, "version": 9}).encode()) == Skipped(event_type)


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("0.1", Decimal("0.1")),
        ("100000000000.01", Decimal("100000000000.01")),
        ("7", Decimal(7)),
        ("15e1", Decimal(150)),
        ("-0", Decimal(0)),
        ("150.500000000000000000", Decimal("150.5")),
        ("0.30000000000000004", Decimal("0.30000000000000004")),
        ("1e-19", Decimal("1e-19")),
        ("1e-999999999", Decimal("1e-999999999")),
        ("1e12", Decimal(10) ** 12),
    ],
)
def test_amounts_are_exact(written: str, amount: Decimal) -> None:
    command = parse(with_amount(written))

    assert isinstance(command, ConfirmPayment)
    assert command.amount == amount
    assert not command.amount.is_signed()


@pytest.mark.parametrize(
    "written",
    ["-1", "1e18", "1e999999999", "1e99999999999999999999", "9" * 5000, "true", '"150"', "null", "[1]", "{}"],
)
def test_amounts_that_cannot_be_are_refused(written: str) -> None:
    with pytest.raises(MalformedMessage, match="amount"):
        parse(with_amount(written))


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe{}", "not UTF-8"),
        (b"[]", "the message must be an object"),
        (b"[" * 100_000, "too deeply"),
        (b'{"a":' * 100_000, "too deeply"),
        (b" " * (MAX_BYTES + 1), f"longer than {MAX_BYTES} bytes"),
        (b'{"eventType": NaN}', "NaN"),
        (b'{"eventType": "payment.success", "x": -Infinity}', "-Infinity"),
        (b'{"eventType": "payment.failed", "eventType": "payment.success"}', "twice"),
        (b"{}", "eventType is missing"),
        (message(eventType=1), "eventType must be a text"),
        (message("payment.refunded"), "'payment.refunded' is unknown"),
        (message("refund."), "'refund.' is unknown"),
        (message(version="2.0"), "version '2.0' is not supported"),
        (message(version="1.\u0661"), "version .* is not supported"),
        (message(version=1.0), "version must be a text"),
        (message(timestamp=7), "timestamp must be a text"),
        (message(correlationId=""), "correlationId must be a text of 1"),
        (message(correlationId="a\x00"), "correlationId must not hold NUL"),
        (message(correlationId="\ud800"), "correlationId must not hold NUL or unpaired"),
        (message(eventId="7"), "eventId must be a UUID"),
        (message(eventId="{" + MESSAGE + "}"), "eventId must be a UUID"),
        (message(payload=[]), "payload must be an object"),
        (message(payload=payload(bookingId=7)), "bookingId must be a text"),
        (message(payload=payload(paymentId="x" * 256)), "paymentId must be a text"),
        (message(payload=payload(currency="usdt")), "currency must be three capital letters"),
        (message("payment.failed", payload=payload(reason=7)), "reason must be a text"),
        (message("payment.failed", payload=payload(reason="\x00")), "reason must be a text"),
    ],
)
def test_what_can_never_be_applied_is_named_in_one_line(value: bytes, complaint: str) -> None:
    with pytest.raises(MalformedMessage, match=complaint) as refusal:
        parse(value)

    assert len(str(refusal.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["eventId", "eventType", "timestamp", "version", "correlationId", "payload"])
def test_no_field_of_the_envelope_may_be_missing(name: str) -> None:
    fields = envelope()
    del fields[name]

    with pytest.raises(MalformedMessage, match=f"^{name} is missing$"):
        parse(json.dumps(fields).encode())


@pytest.mark.parametrize("name", ["bookingId", "paymentId", "amount", "currency"])
def test_no_field_of_the_payload_may_be_missing(name: str) -> None:
    fields = payload()
    del fields[name]

    with pytest.raises(MalformedMessage, match=f"^{name} is missing$"):
        parse(message(payload=fields))


def test_a_long_reason_is_cut_rather_than_refused() -> None:
    command = parse(message("payment.failed", payload=payload(reason="x" * 5000)))

    assert isinstance(command, FailPayment)
    assert len(command.reason) == MAX_REASON


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
TYPES = st.sampled_from(
    ["payment.processing", "payment.success", "payment.failed", "refund.completed", "refund.failed", "refund.x", "x"]
)
NEARLY_RIGHT = st.builds(
    lambda event_type, changes, inner: json.dumps(
        {**envelope(event_type), **changes, "payload": {**payload(), **inner}}
    ).encode("utf-8", "surrogatepass"),
    TYPES,
    st.dictionaries(st.sampled_from(["eventId", "version", "correlationId", "timestamp"]), JSON, max_size=1),
    st.dictionaries(st.sampled_from(["bookingId", "paymentId", "amount", "currency", "reason"]), JSON, max_size=2),
)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")) | NEARLY_RIGHT)
def test_any_bytes_give_a_command_a_skip_or_a_malformed_message(value: bytes) -> None:
    outcome: object
    try:
        outcome = parse(value)
    except MalformedMessage as error:
        outcome = str(error)

    assert isinstance(outcome, PaymentMessage | Skipped) or len(str(outcome).splitlines()) == 1
